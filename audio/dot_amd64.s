#include "textflag.h"

// func dot(x []Frame, h []float32) (l, r float32)
//
// Frames lie in memory as l r l r, and taps as a b c d. Four of each are
// multiplied at once, after the taps are doubled to a a b b and c c d d. X0 to
// X3 are the sums, each for two frames.
TEXT ·dot(SB), NOSPLIT, $0-56
	MOVQ  x_base+0(FP), SI
	MOVQ  h_base+24(FP), DI
	MOVQ  h_len+32(FP), CX
	XORPS X0, X0
	XORPS X1, X1
	XORPS X2, X2
	XORPS X3, X3
	SHRQ  $3, CX
	JZ    sum

eight:
	MOVUPS   (DI), X4
	MOVUPS   16(DI), X6
	MOVAPS   X4, X5
	MOVAPS   X6, X7
	UNPCKLPS X4, X4
	UNPCKHPS X5, X5
	UNPCKLPS X6, X6
	UNPCKHPS X7, X7
	MOVUPS   (SI), X8
	MOVUPS   16(SI), X9
	MOVUPS   32(SI), X10
	MOVUPS   48(SI), X11
	MULPS    X8, X4
	MULPS    X9, X5
	MULPS    X10, X6
	MULPS    X11, X7
	ADDPS    X4, X0
	ADDPS    X5, X1
	ADDPS    X6, X2
	ADDPS    X7, X3
	ADDQ     $32, DI
	ADDQ     $64, SI
	DECQ     CX
	JNZ      eight

sum:
	ADDPS   X1, X0
	ADDPS   X3, X2
	ADDPS   X2, X0
	MOVHLPS X0, X1
	ADDPS   X1, X0
	MOVSS   X0, l+48(FP)
	SHUFPS  $1, X0, X0
	MOVSS   X0, r+52(FP)
	RET
