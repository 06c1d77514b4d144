package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"squall/nodeimage/hub/protocol"
)

// limits are the control groups that hold machines to their share of
// processors and memory, and bound their processes. Every machine has groups of its own, limited or not,
// so that a limit can be set while it runs: memory that was taken before a
// process came into a group would not count there.
type limits struct {
	mu     sync.Mutex
	groups map[string]map[string]group // by machine, and name of the setting
	lacks  map[string]error            // by name of the setting: why there are no groups for it
}

// group is a control group of one machine.
type group struct {
	dir     string
	unified bool // version 2
}

// wanted is what a machine is to be held to by a setting; 0 is no limit.
func wanted(setting string, m protocol.Machine) float64 {
	switch setting {
	case "cpus":
		return m.CPUs
	case "memory":
		return float64(m.Memory)
	}
	return float64(m.Processes)
}

// makeLimits makes the control groups of all machines, and sets the limits that
// are wanted. Where there can be no groups, only a limit that is wanted is an
// error.
func makeLimits(folder protocol.Folder, config protocol.Config) (*limits, error) {
	l := &limits{groups: map[string]map[string]group{}, lacks: map[string]error{}}
	for _, m := range config.Machines {
		l.groups[m.Name] = map[string]group{}
	}
	settings := mostWantedFirst(config.Machines)
	var controllers []string
	for _, s := range settings {
		controllers = append(controllers, s.Controller)
	}
	places := protocol.FindPlaces(controllers...)
	name := "squall-" + config.Cluster
	if err := note(folder, config.Machines, places, name); err != nil {
		return nil, err
	}
	for _, s := range settings {
		err := places.Lacks[s.Controller]
		if place, ok := places.Found[s.Controller]; ok {
			err = l.make(s, place, config.Machines, name)
		}
		if err != nil {
			l.lacks[s.Name] = err
		}
	}
	for _, m := range config.Machines {
		if err := l.set(m.Name, m, false); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// mostWantedFirst puts the settings first of which a limit is wanted.
func mostWantedFirst(machines []protocol.Machine) []protocol.Setting {
	settings := protocol.AllSettings()
	isWanted := func(s protocol.Setting) int {
		if s.Optional {
			return 2
		}
		if slices.ContainsFunc(machines, func(m protocol.Machine) bool { return wanted(s.Name, m) > 0 }) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(settings, func(a, b protocol.Setting) int { return isWanted(a) - isWanted(b) })
	return settings
}

// note writes down which groups will be made, so that they are removed even
// when this process is killed.
func note(folder protocol.Folder, machines []protocol.Machine, places protocol.Places, name string) error {
	var noted []string
	for _, place := range places.Found {
		all := filepath.Join(place.Parent, name)
		if slices.Contains(noted, all) {
			continue
		}
		noted = append(noted, all)
		for _, m := range machines {
			noted = append(noted, filepath.Join(all, m.Name))
		}
	}
	if len(noted) == 0 {
		return nil
	}
	return folder.NoteCgroups(noted)
}

// make makes a group for each machine, in one of the cluster's own.
func (l *limits) make(s protocol.Setting, place protocol.Place, machines []protocol.Machine, name string) error {
	all := group{filepath.Join(place.Parent, name), place.Unified}
	if err := os.MkdirAll(all.dir, 0o755); err != nil {
		return err
	}
	if all.unified {
		if err := all.put(protocol.SubtreeControl, "+"+s.Controller); err != nil {
			return err
		}
	}
	if s.Controller == "cpu" {
		all.weigh(len(machines))
	}
	for _, m := range machines {
		g := group{filepath.Join(all.dir, m.Name), place.Unified}
		if err := os.MkdirAll(g.dir, 0o755); err != nil {
			return err
		}
		l.groups[m.Name][s.Name] = g
	}
	return nil
}

// of is a machine's group for a setting.
func (l *limits) of(machine, setting string) (group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.lacks[setting]; err != nil {
		return group{}, err
	}
	return l.groups[machine][setting], nil
}

// set holds a machine to the limits that m says. When one is refused all stay
// as they were. With lift a limit of 0 takes away what there was before.
func (l *limits) set(machine string, m protocol.Machine, lift bool) error {
	l.bound(machine, m)
	var undo []func()
	for _, s := range protocol.Settings() {
		want := wanted(s.Name, m)
		if want == 0 && !lift {
			continue
		}
		g, err := l.of(machine, s.Name)
		if err != nil && want == 0 {
			continue // there never was a limit to be lifted
		}
		if err != nil {
			err = s.Refusal(err)
		} else {
			var back func()
			back, err = g.setting(s.Name, m)
			undo = append(undo, back)
		}
		if err != nil {
			for _, back := range slices.Backward(undo) {
				back()
			}
			return err
		}
	}
	return nil
}

// bound sets what nobody asked for, where it can be set.
func (l *limits) bound(machine string, m protocol.Machine) {
	for _, s := range protocol.AllSettings() {
		if !s.Optional || wanted(s.Name, m) == 0 {
			continue
		}
		if g, err := l.of(machine, s.Name); err == nil && g.dir != "" {
			_ = g.setProcesses(m.Processes) // the agent tells of a machine without
		}
	}
}

// setting sets one limit, and gives what takes it back.
func (g group) setting(name string, m protocol.Machine) (back func(), err error) {
	if name == "cpus" {
		before, _ := g.cpus()
		return func() { _ = g.setCPUs(before) }, g.setCPUs(m.CPUs)
	}
	before, _ := g.memory()
	return func() { _ = g.setMemory(before) }, g.setMemory(m.Memory)
}

// hold puts a process, and with it all that it will start, under its machine's
// limits. Where the kernel forbids it, that is an error only for a machine that
// is to be limited.
func (l *limits) hold(m protocol.Machine, pid int) error {
	for _, s := range protocol.AllSettings() {
		g, err := l.of(m.Name, s.Name)
		if err == nil && g.dir != "" {
			err = g.put("cgroup.procs", strconv.Itoa(pid))
		}
		switch {
		case err != nil && wanted(s.Name, m) > 0 && !s.Optional:
			return s.Refusal(err)
		case err != nil:
			l.mu.Lock()
			l.lacks[s.Name] = err
			l.mu.Unlock()
		}
	}
	return nil
}

// mounts are the machine's groups, and where it sees them: where a container
// would. A program that looks there for its limits, as Go's own runtime does,
// finds them.
func (l *limits) mounts(machine string) []groupMount {
	const root = "/sys/fs/cgroup"
	var mounts []groupMount
	for _, s := range protocol.AllSettings() {
		g, err := l.of(machine, s.Name)
		if err != nil || g.dir == "" {
			continue
		}
		m := groupMount{From: g.dir, To: filepath.Join(root, s.Controller)}
		if g.unified {
			m.To = root
		}
		if !slices.Contains(mounts, m) {
			mounts = append(mounts, m)
		}
	}
	return mounts
}

// put writes to a file of the group. One that the kernel does not have is not
// made, which it would refuse in other words.
func (g group) put(file, text string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// number reads a file of the group that holds one number, or "max".
func (g group) number(file string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0, err
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if word == "max" {
		return 0, nil
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading %s of a control group: %w", file, err)
	}
	return n, nil
}
