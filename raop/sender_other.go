//go:build !unix

package raop

import "errors"

const pushes = false

func push(uintptr, []byte) error { return errors.ErrUnsupported }
