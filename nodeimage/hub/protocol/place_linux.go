package protocol

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Place is where control groups that need a controller can be made.
type Place struct {
	Parent  string // a directory in a cgroup file system
	Unified bool   // version 2
}

// Places are where control groups can be made, by controller, and for the
// controllers without such a place why there is none.
type Places struct {
	Found map[string]Place
	Lacks map[string]error
}

// FindPlaces looks for places for groups with these controllers, the most
// wanted first, and tries each. In version 2 a process is in one group, so all
// controllers must be found in one place; what is not there is lacking.
func FindPlaces(controllers ...string) Places {
	places := Places{map[string]Place{}, map[string]error{}}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	var cgroup []byte
	if err == nil {
		cgroup, err = os.ReadFile("/proc/self/cgroup")
	}
	for _, c := range controllers {
		if err != nil {
			places.Lacks[c] = err
		}
	}
	if err == nil {
		places.find(controllers, string(mountinfo), string(cgroup))
	}
	for c, p := range places.Found {
		if err := tryDir(p.Parent); err != nil {
			delete(places.Found, c)
			places.Lacks[c] = err
		}
	}
	return places
}

// find fills places out of the texts of /proc/self/mountinfo and
// /proc/self/cgroup.
func (p Places) find(controllers []string, mountinfo, cgroup string) {
	var unified []string
	var at hierarchy
	for _, c := range controllers {
		h, ok := findHierarchy(c, mountinfo, cgroup)
		switch {
		case !ok:
			p.Lacks[c] = fmt.Errorf("no cgroup file system with the controller %s is mounted", c)
		case h.unified:
			unified, at = append(unified, c), h
		default:
			p.Found[c] = Place{Parent: filepath.Join(h.mount, h.own)}
		}
	}
	p.findUnified(unified, at)
}

// findUnified finds the one group of version 2 that serves the most wanted of
// these controllers, and as many of the others as go with them.
func (p Places) findUnified(wanted []string, at hierarchy) {
	var served []string
	var parent string
	for _, c := range wanted {
		dir, ok := at.groupFor(append(served, c))
		if ok {
			served, parent = append(served, c), dir
			continue
		}
		if alone, there := at.groupFor([]string{c}); there {
			p.Lacks[c] = fmt.Errorf("the controller %s is available only in %s, where other limits are not, and a process is in one group", c, alone)
		} else {
			p.Lacks[c] = fmt.Errorf("no control group of this process (%s) or above lets it make groups with the controller %s",
				filepath.Join(at.mount, at.own), c)
		}
	}
	for _, c := range served {
		p.Found[c] = Place{Parent: parent, Unified: true}
	}
}

// hierarchy is a mounted cgroup file system, and where this process is in it.
type hierarchy struct {
	mount   string // where it is mounted
	own     string // this process's group, below mount
	unified bool
}

// groupFor is the group in version 2 whose children can be made, and get these
// controllers: this process's own group if it is lucky, or else one above.
func (h hierarchy) groupFor(controllers []string) (dir string, ok bool) {
	if len(controllers) == 0 {
		return "", false
	}
	for dir := filepath.Join(h.mount, h.own); ; dir = filepath.Dir(dir) {
		lacking := func(c string) bool { return !passesOn(dir, c) }
		if !slices.ContainsFunc(controllers, lacking) && tryDir(dir) == nil {
			return dir, true
		}
		if dir == h.mount || len(dir) < len(h.mount) {
			return "", false
		}
	}
}

// findHierarchy prefers version 1, because a controller that is there is not
// in version 2.
func findHierarchy(controller, mountinfo, cgroup string) (hierarchy, bool) {
	var found hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		root, mount := fields[3], fields[4]
		switch {
		case kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), controller):
			return hierarchy{mount: mount, own: below(root, ownGroup(cgroup, controller))}, true
		case kind[0] == "cgroup2" && listed(filepath.Join(mount, "cgroup.controllers"), controller):
			found = hierarchy{mount: mount, own: below(root, ownGroup(cgroup, "")), unified: true}
		}
	}
	return found, found.mount != ""
}

// ownGroup is this process's group in the hierarchy of a controller, or in
// that of version 2, which has no name.
func ownGroup(cgroup, controller string) string {
	for line := range strings.Lines(cgroup) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), controller) {
			return fields[2]
		}
	}
	return "/"
}

// below is a group's path below the group that is mounted.
func below(root, group string) string {
	if rel, err := filepath.Rel(root, group); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return "."
}

// SubtreeControl is the file that says what a group of version 2 passes on.
const SubtreeControl = "cgroup.subtree_control"

// passesOn reports whether children of a group of version 2 have a controller.
// That of a group that is not ours is not to be changed: it would stay so.
func passesOn(dir, controller string) bool {
	return listed(filepath.Join(dir, SubtreeControl), controller)
}

func listed(file, word string) bool {
	text, err := os.ReadFile(file)
	return err == nil && slices.Contains(strings.Fields(string(text)), word)
}

// tryDir makes a group below dir and removes it, which tells what may be done.
func tryDir(dir string) error {
	probe, err := os.MkdirTemp(dir, "squall-probe-*")
	if err != nil {
		return err
	}
	return os.Remove(probe)
}
