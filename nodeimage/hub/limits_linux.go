package hub

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"squall/nodeimage/hub/protocol"
)

// limits are the control groups that hold machines to their share of
// processors and memory.
type limits struct {
	groups map[string][]string // of each machine that is limited, by its name
}

// setting is one kind of limit.
type setting struct {
	name       string // as a person sets it
	controller string
	wanted     func(protocol.Machine) bool
	set        func(group string, unified bool, m protocol.Machine) error
}

func settings() []setting {
	return []setting{
		{"cpus", "cpu", func(m protocol.Machine) bool { return m.CPUs > 0 }, setCPUs},
		{"memory", "memory", func(m protocol.Machine) bool { return m.Memory > 0 }, setMemory},
	}
}

// cpuPeriod is the kernel's own choice, in microseconds.
const cpuPeriod = 100_000

func setCPUs(group string, unified bool, m protocol.Machine) error {
	quota := strconv.Itoa(int(m.CPUs * cpuPeriod))
	if unified {
		return put(group, "cpu.max", quota+" "+strconv.Itoa(cpuPeriod))
	}
	if err := put(group, "cpu.cfs_period_us", strconv.Itoa(cpuPeriod)); err != nil {
		return err
	}
	return put(group, "cpu.cfs_quota_us", quota)
}

func setMemory(group string, unified bool, m protocol.Machine) error {
	file := "memory.limit_in_bytes"
	if unified {
		file = "memory.max"
	}
	return put(group, file, strconv.FormatInt(m.Memory, 10))
}

func put(group, file, text string) error {
	return os.WriteFile(filepath.Join(group, file), []byte(text), 0)
}

// makeLimits makes the control groups that the machines need: none where
// nothing is limited.
func makeLimits(folder protocol.Folder, config protocol.Config) (*limits, error) {
	l := &limits{groups: map[string][]string{}}
	var noted []string
	for _, s := range settings() {
		var limited []protocol.Machine
		for _, m := range config.Machines {
			if s.wanted(m) {
				limited = append(limited, m)
			}
		}
		if len(limited) == 0 {
			continue
		}
		if err := l.make(s, limited, folder, "squall-"+config.Cluster, &noted); err != nil {
			return nil, refusal(s.name, err)
		}
	}
	return l, nil
}

// refusal says that a limit cannot be set, by the name of its setting.
func refusal(setting string, err error) error {
	return fmt.Errorf("%s: a limit cannot be set here: %w "+
		"(run squall as root, or where systemd delegates this control group, or use --runtime docker, or leave --%s out)", setting, err, setting)
}

// make makes a group for each machine, in one of the run's own, and sets the
// limit there.
func (l *limits) make(s setting, machines []protocol.Machine, folder protocol.Folder, name string, noted *[]string) error {
	place, err := readPlace(s.controller)
	if err != nil {
		return err
	}
	all := filepath.Join(place.parent, name)
	*noted = append(*noted, all)
	for _, m := range machines {
		*noted = append(*noted, filepath.Join(all, m.Name))
	}
	if err := folder.NoteCgroups(*noted); err != nil {
		return err
	}
	if err := os.MkdirAll(all, 0o755); err != nil {
		return err
	}
	if place.unified {
		if err := passOn(all, s.controller); err != nil {
			return err
		}
	}
	for _, m := range machines {
		group := filepath.Join(all, m.Name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return err
		}
		if err := s.set(group, place.unified, m); err != nil {
			return err
		}
		l.groups[m.Name] = append(l.groups[m.Name], group)
	}
	return nil
}

func readPlace(controller string) (groupPlace, error) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return groupPlace{}, err
	}
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return groupPlace{}, err
	}
	return findPlace(controller, string(mountinfo), string(cgroup))
}

// hold puts a process, and with it all that it will start, under its machine's
// limits.
func (l *limits) hold(machine string, pid int) error {
	for _, group := range l.groups[machine] {
		if err := put(group, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("holding it to its limits: %w", err)
		}
	}
	return nil
}
