package testplan

import (
	"fmt"
	"slices"
	"strings"

	"squall/internal/suggest"
)

// Profile is a named handful of settings that go well together. What a test
// file or a flag says of the same settings goes over it.
type Profile struct {
	Name     string
	Doc      string
	Settings [][2]string // option and value, as on the command line
}

// Profiles are all profiles.
func Profiles() []Profile {
	return []Profile{
		{Name: "ci", Doc: "for every change: many kinds of fault in less than two minutes on two cores, report included",
			Settings: [][2]string{{"nemesis", "ci"}, {"time", "1m15s"}, {"check-time", "20s"}, {"keep", KeepNever}, {"trace", TraceAuto}, {"stop-on", StopViolation}}},
		{Name: "elections", Doc: "many elections: leaders are lost again and again, timeouts are short and alike, pre-vote and stickiness are off",
			Settings: [][2]string{{"nemesis", "elections"}, {"time", "1m"}, {"trace", TraceAuto},
				{"system", "raftkv(heartbeat=20ms, election=100ms-130ms, pre-vote=off, stickiness=off)"}}},
		{Name: "guided", Doc: "faults at the moments where they hurt, and sequences of them; timeouts are short, some nodes take snapshots very often and some rarely, snapshots take a while, messages hold little",
			Settings: [][2]string{{"nemesis", "guided"}, {"time", "1m"}, {"trace", TraceAuto},
				{"system", "raftkv(heartbeat=30ms, election=150ms-300ms, snapshot-every=300, sessions=6, long-logs=2, short-logs=3, chunk=2KiB, slow-snapshots=30ms, batch=256B, in-flight=8, segment=16KiB, slow-disk=20ms)"}}},
		{Name: "smoke", Doc: "a quick look: ten seconds, the default faults",
			Settings: [][2]string{{"nodes", "3"}, {"time", "10s"}}},
	}
}

// ProfileNames are the names of all profiles.
func ProfileNames() []string {
	var names []string
	for _, p := range Profiles() {
		names = append(names, p.Name)
	}
	return names
}

// ApplyProfile sets what the profile of that name says.
func ApplyProfile(t *Test, name string) error {
	i := slices.IndexFunc(Profiles(), func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return fmt.Errorf("expected one of %s, found %q%s", strings.Join(ProfileNames(), ", "), name, suggest.Hint(name, ProfileNames()))
	}
	for _, s := range Profiles()[i].Settings {
		option, ok := FindOption(s[0])
		if !ok {
			return fmt.Errorf("the profile %s names the unknown setting %q", name, s[0])
		}
		if err := option.Set(t, s[1]); err != nil {
			return fmt.Errorf("the profile %s: %s: %w", name, option.Name, err)
		}
	}
	return nil
}
