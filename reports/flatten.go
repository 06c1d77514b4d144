package reports

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"squall/internal/plain"
)

// maxFacts bounds how much of a document of unknown shape is shown.
const maxFacts = 100

// flatten lists the plain values of a JSON document with the way to each.
func flatten(v any) []fact {
	var facts []fact
	var walk func(way string, v any, depth int)
	walk = func(way string, v any, depth int) {
		if len(facts) >= maxFacts || depth > 8 {
			return
		}
		join := func(name string) string {
			if way == "" {
				return name
			}
			return way + "." + name
		}
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(join(k), v[k], depth+1)
			}
		case []any:
			for i, e := range v {
				walk(join(strconv.Itoa(i)), e, depth+1)
			}
		case nil:
		case json.Number:
			facts = append(facts, fact{way, v.String()})
		default:
			facts = append(facts, fact{way, plain.Clip(fmt.Sprint(v), 500)})
		}
	}
	walk("", v, 0)
	return facts
}
