package suggest

import (
	"strings"
	"testing"
)

func TestAmong(t *testing.T) {
	all := []string{"kill", "pause", "partition", "power-cut", "slow-cpu"}
	for _, tc := range []struct{ name, want string }{
		{"partiton", `did you mean "partition"?`},
		{"pasue", `did you mean "pause"?`},
		{"likl", `did you mean "kill"?`},
		{"kil", `did you mean "kill"?`},
		{"powercut", `did you mean "power-cut"?`},
		{"earthquake", "there are: kill, pause"},
		{"", "there are: kill"},
		{strings.Repeat("kill", 100), "there are: kill"},
	} {
		got := Among(tc.name, all)
		if !strings.HasPrefix(got, tc.want) {
			t.Errorf("%q: %s, want %s", tc.name, got, tc.want)
		}
	}
}
