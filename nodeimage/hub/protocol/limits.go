package protocol

import "fmt"

// Setting is one kind of limit of a machine.
type Setting struct {
	Name       string // as a person sets it
	Controller string // of control groups, which does it
	Optional   bool   // nobody asks for it: where it cannot be set, a machine does without
}

// Settings are all kinds of limits that a person may set.
func Settings() []Setting {
	return []Setting{{Name: "cpus", Controller: "cpu"}, {Name: "memory", Controller: "memory"}}
}

// AllSettings are those and what holds for every machine, which is wanted least.
func AllSettings() []Setting {
	return append(Settings(), Setting{Name: "processes", Controller: "pids", Optional: true})
}

// Refusal says that a limit cannot be set, by the name of its setting.
func (s Setting) Refusal(why error) error {
	return fmt.Errorf("%s: a limit cannot be set here: %w "+
		"(run squall as root, or where systemd delegates this control group, or use --runtime docker, or leave --%s out)", s.Name, why, s.Name)
}
