package testplan

import (
	"fmt"
	"strings"

	"squall/nemesis"
	"squall/workloads/systems"
)

// momentsSeen refuses faults that are aimed at a moment which nobody can see in the system
// under test, and says at which ones they can be aimed.
func (t *Test) momentsSeen(system systems.System, choices []nemesis.Choice) error {
	for _, c := range choices {
		m, aimed := c.Moment()
		if !aimed {
			continue
		}
		if err := t.momentSeen(system, c.String(), m); err != nil {
			return err
		}
	}
	return nil
}

func (t *Test) momentSeen(system systems.System, fault string, m nemesis.Moment) error {
	why := t.momentCannot(system, m)
	if why == "" {
		return nil
	}
	var seen []string
	for _, other := range nemesis.Moments() {
		if t.momentCannot(system, other) == "" {
			seen = append(seen, other.Name)
		}
	}
	return fmt.Errorf("fault %s cannot be aimed here: %s, so nobody sees when %s; moments that can be seen are %s",
		fault, why, m.Doc, strings.Join(seen, ", "))
}

// momentCannot is why a moment cannot be seen in a system; "" when it can.
func (t *Test) momentCannot(system systems.System, m nemesis.Moment) string {
	switch {
	case m.Need == "":
		return ""
	case m.Need == nemesis.NeedFullTrace && systems.Traced(system) && t.Trace != TraceFull:
		return "that takes --trace full"
	}
	return SystemCannot(system, m.Need)
}
