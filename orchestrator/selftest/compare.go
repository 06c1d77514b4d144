package selftest

import "fmt"

// Compare says what an earlier self-test found that this one did not, and the other
// way round: a line each. Only bugs that both stormed are compared.
func (t *Table) Compare(earlier *Table) []string {
	before := map[string]*Bug{}
	for i := range earlier.Bugs {
		before[earlier.Bugs[i].Name] = &earlier.Bugs[i]
	}
	var lines []string
	for i := range t.Bugs {
		now := &t.Bugs[i]
		then := before[now.Name]
		if then == nil || now.Storms == 0 || then.Storms == 0 {
			continue
		}
		for _, way := range []struct {
			name      string
			now, then Found
		}{{"white box", now.White, then.White}, {"black box", now.Black, then.Black}} {
			was, is := way.then.Storms > 0, way.now.Storms > 0
			switch {
			case was && !is:
				lines = append(lines, fmt.Sprintf("lost    %s, %s: found in %d of %d storms before, in none of %d now", now.Name, way.name, way.then.Storms, then.Storms, now.Storms))
			case is && !was:
				lines = append(lines, fmt.Sprintf("gained  %s, %s: found in none of %d storms before, in %d of %d now", now.Name, way.name, then.Storms, way.now.Storms, now.Storms))
			}
		}
	}
	return lines
}
