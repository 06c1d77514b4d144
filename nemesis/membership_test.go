package nemesis

import (
	"errors"
	"strings"
	"testing"
)

func TestRoster(t *testing.T) {
	nodes := []string{"n1", "n2", "n3"}
	voters := func(names ...string) Members { return Members{Voters: names} }
	lost := errors.New("no answer")
	for _, tc := range []struct {
		name string
		ask  func(r *Roster)
		seen Members
		want string // "" when it is as asked
	}{
		{"nothing asked", func(*Roster) {}, voters("n1", "n2", "n3"), ""},
		{"nothing asked, one gone", func(*Roster) {}, voters("n1", "n2"), "n3 is no member, and may be a voter"},
		{"done", func(r *Roster) { r.Asked("n3", Outside, false, nil) }, voters("n1", "n2"), ""},
		{"done, and not so", func(r *Roster) { r.Asked("n3", Outside, false, nil) }, voters("n1", "n2", "n3"), "n3 is a voter"},
		{"refused, and yet done", func(r *Roster) { r.Asked("n3", Outside, true, lost) }, voters("n1", "n2"), "n3 is no member"},
		{"unknown, done", func(r *Roster) { r.Asked("n3", Outside, false, lost) }, voters("n1", "n2"), ""},
		{"unknown, not done", func(r *Roster) { r.Asked("n3", Outside, false, lost) }, voters("n1", "n2", "n3"), ""},
		{"unknown, lands late", func(r *Roster) {
			r.Asked("n3", Outside, false, lost)
			if err := r.Seen(voters("n1", "n2", "n3")); err != nil {
				t.Error(err)
			}
			r.Asked("n3", Voter, false, nil)
		}, voters("n1", "n2"), ""},
		{"a learner that nobody asked for", func(*Roster) {}, Members{Voters: []string{"n1", "n2"}, Learners: []string{"n3"}}, "n3 is a learner"},
		{"a stranger", func(*Roster) {}, voters("n1", "n2", "n3", "n9"), "n9 is a member, but not a node of this test"},
	} {
		r := NewRoster(nodes, voters(nodes...))
		tc.ask(r)
		err := r.Seen(tc.seen)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: Seen(%v) = %v, want %q", tc.name, tc.seen, err, tc.want)
		}
	}
	r := NewRoster(nodes, voters(nodes...))
	r.Asked("n2", Outside, false, lost)
	if got := strings.Join(r.Settled(Voter), " "); got != "n1 n3" || r.MayVote() != 3 {
		t.Errorf("certainly voters: %s; may vote: %d", got, r.MayVote())
	}
}
