package hub

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// groupPlace is where groups that need a controller can be made.
type groupPlace struct {
	parent  string // a directory in a cgroup file system
	unified bool   // version 2
}

// hierarchy is a mounted cgroup file system, and where this process is in it.
type hierarchy struct {
	mount   string // where it is mounted
	own     string // this process's group, below mount
	unified bool
}

// findPlace finds where groups with this controller can be made. The texts are
// those of /proc/self/mountinfo and /proc/self/cgroup.
func findPlace(controller, mountinfo, cgroup string) (groupPlace, error) {
	h, ok := findHierarchy(controller, mountinfo, cgroup)
	if !ok {
		return groupPlace{}, fmt.Errorf("no cgroup file system with the controller %s is mounted", controller)
	}
	if !h.unified {
		return groupPlace{parent: filepath.Join(h.mount, h.own)}, nil
	}
	// Groups can be made where the controller is passed on to children: in this
	// process's own group if it is lucky, or else in one above.
	for dir := filepath.Join(h.mount, h.own); ; dir = filepath.Dir(dir) {
		if passesOn(dir, controller) && writable(dir) {
			return groupPlace{parent: dir, unified: true}, nil
		}
		if dir == h.mount || len(dir) < len(h.mount) {
			return groupPlace{}, fmt.Errorf("no control group of this process (%s) or above lets it make groups with the controller %s",
				filepath.Join(h.mount, h.own), controller)
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

// subtreeControl is the file that says what a group of version 2 passes on.
const subtreeControl = "cgroup.subtree_control"

// passesOn reports whether children of a group of version 2 have a controller.
// That of a group that is not ours is not to be changed: it would stay so.
func passesOn(dir, controller string) bool {
	return listed(filepath.Join(dir, subtreeControl), controller)
}

// passOn lets children of a group of ours have a controller.
func passOn(dir, controller string) error {
	return put(dir, subtreeControl, "+"+controller)
}

func listed(file, word string) bool {
	text, err := os.ReadFile(file)
	return err == nil && slices.Contains(strings.Fields(string(text)), word)
}

// writable tries it, which is what counts.
func writable(dir string) bool {
	probe, err := os.MkdirTemp(dir, "squall-probe-*")
	if err != nil {
		return false
	}
	return os.Remove(probe) == nil
}
