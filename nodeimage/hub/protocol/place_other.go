//go:build !linux

package protocol

// Place is where control groups can be made. On this system there is none.
type Place struct {
	Parent  string
	Unified bool
}

// Places are where control groups can be made, by controller.
type Places struct {
	Found map[string]Place
	Lacks map[string]error
}

// FindPlaces finds none on this system.
func FindPlaces(controllers ...string) Places {
	places := Places{Lacks: map[string]error{}}
	for _, c := range controllers {
		places.Lacks[c] = errLinux
	}
	return places
}
