package protocol

import "fmt"

// Setting is one kind of limit of a machine.
type Setting struct {
	Name       string // as a person sets it
	Controller string // of control groups, which does it
}

// Settings are all kinds of limits.
func Settings() []Setting {
	return []Setting{{"cpus", "cpu"}, {"memory", "memory"}}
}

// Refusal says that a limit cannot be set, by the name of its setting.
func (s Setting) Refusal(why error) error {
	return fmt.Errorf("%s: a limit cannot be set here: %w "+
		"(run squall as root, or where systemd delegates this control group, or use --runtime docker, or leave --%s out)", s.Name, why, s.Name)
}
