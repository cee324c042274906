package audio

// What tests outside the package look at inside.
var (
	Dot   = dot
	DotGo = dotGo
)
