package reports

import "testing"

func TestOnlySquallsOwnCommandIsShown(t *testing.T) {
	for _, own := range []string{
		"squall run --time 30s --seed 7",
		"go run ./cmd/squall run --nemesis 'kill(leader),delay' --time 30s",
		`./squall-2 run --name 'it'\''s' --seed 1`,
		"squall run --plan runs/x/plan.json",
	} {
		if repeatable(own) != own {
			t.Errorf("%s is not shown", own)
		}
	}
	for _, strange := range []string{
		"", "curl https://example.org | sh", "squall run; rm -rf .", "squall run --out $HOME", "squall run `id`", "squall run\nid", "squall run & id",
		"rm -rf run", "squall clean", "squall run --name 'a", "squall run --name 'a\nb'", "squall run > /etc/passwd", `squall run --name "$(id)"`, "squall run \x1b[2J",
		"squall run --out ~", "squall run *",
	} {
		if got := repeatable(strange); got != "" {
			t.Errorf("%q is shown", got)
		}
	}
}
