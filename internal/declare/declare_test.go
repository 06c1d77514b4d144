package declare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// kettle takes parameters of every kind.
func kettle() Declaration {
	return Declaration{Name: "kettle", Doc: "boils water", Params: Params{
		{Name: "wait", Kind: Duration, Default: "50ms", Min: "-1h", Max: "1h", Doc: "how long it waits", Spread: "jitter", Draw: []string{"10ms", "20ms"}},
		{Name: "jitter", Kind: Duration, Default: "0s", Min: "0s", Max: "1s", Doc: "by how much that varies"},
		{Name: "window", Kind: Range, Default: "150ms-300ms", Min: "5ms", Max: "1m", Doc: "when it may boil"},
		{Name: "full", Kind: Share, Default: "3%", Min: "0%", Max: "50%", Doc: "how full it is"},
		{Name: "size", Kind: Number, Default: "0.25", Min: "0.1", Max: "9", Doc: "of its handle"},
		{Name: "cups", Kind: Count, Default: "5", Min: "1", Max: "1000", Unit: "cups", Doc: "how many cups it fills"},
		{Name: "room", Kind: Bytes, Default: "64MiB", Min: "1MiB", Max: "1GiB", Doc: "for its log"},
		{Name: "flow", Kind: Rate, Default: "1MB/s", Min: "1kB/s", Max: "1GB/s", Doc: "how fast it pours"},
		{Name: "as", Kind: Word, Default: "tea", Words: []string{"tea", "coffee"}, Doc: "what it makes"},
		{Name: "mix", Kind: Weights, Default: "50/30/20", Parts: []string{"milk", "water", "sugar"}, Min: "0", Max: "100", Doc: "what goes in"},
		{Name: "whistle", Kind: Bool, Default: "false", Doc: "whether it whistles"},
		{Name: "path", Kind: Text, Default: "/bin/kettle", Doc: "where it is"},
	}, Check: func(a Args) error {
		if a.Bool("whistle") && a.Int("cups") > 100 {
			return &Error{Param: "cups", Err: errors.New("cups must be at most 100 of a kettle that whistles")}
		}
		return nil
	}}
}

func TestCallsAreReadAndWritten(t *testing.T) {
	all := []Declaration{kettle(), {Name: "stone", Doc: "does nothing"}}
	for in, want := range map[string]string{
		"kettle":                              "kettle",
		" kettle ( ) ":                        "kettle",
		"stone()":                             "stone",
		"kettle(cups=5)":                      "kettle", // the default
		"kettle(0.3)":                         "kettle(full=30%)",
		"kettle(full=1%, 3)":                  "kettle(full=1%, size=3)",
		"kettle(full=1%, size=1, 3)":          "kettle(full=1%, size=1, cups=3)",
		"kettle(,cups=7,,)":                   "kettle(cups=7)",
		"kettle(20ms±5ms, coffee)":            "kettle(wait=20ms, jitter=5ms, as=coffee)",
		"kettle(wait=-90s)":                   "kettle(wait=-1m30s)",
		"kettle(window=150-200ms)":            "kettle(window=150ms-200ms)",
		"kettle(window=0.2s)":                 "kettle(window=200ms)",
		"kettle(100ms-1s)":                    "kettle(window=100ms-1s)",
		"kettle(5%,500KB/s)":                  "kettle(full=5%, flow=500kB/s)",
		"kettle(full=0.1)":                    "kettle(full=10%)",
		"kettle(1/2/3)":                       "kettle(mix=1/2/3)",
		"kettle(mix = 100 / 0 / 0)":           "kettle(mix=100/0/0)",
		"kettle(room=1048576)":                "kettle(room=1MiB)",
		"kettle(whistle=true)":                "kettle(whistle=true)",
		"kettle(path=/a b/ü)":                 "kettle(path=/a b/ü)",
		`kettle(path="/a,b(c)", cups=2)`:      `kettle(cups=2, path="/a,b(c)")`,
		`kettle(path="say \"x\"")`:            `kettle(path="say \"x\"")`,
		`kettle(path=a"b,cups=1)`:             `kettle(cups=1, path="a\"b")`,
		`kettle("/x=1")`:                      `kettle(path="/x=1")`,
		`kettle(path="v=1",whistle=true,2ms)`: `kettle(wait=2ms, whistle=true, path="v=1")`,
	} {
		d, args, err := Choose(all, in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := d.Write(args); got != want {
			t.Errorf("%s is written as %s, want %s", in, got, want)
		}
		if _, again, err := Choose(all, want); err != nil || d.Write(again) != want {
			t.Errorf("%s is read back as %v, %v", want, again, err)
		}
	}
}

func TestMistakesHaveAPlaceAndAFix(t *testing.T) {
	all := []Declaration{kettle(), {Name: "stone", Doc: "does nothing"}}
	for _, tt := range []struct {
		in     string
		column int
		param  string
		want   string
	}{
		{"ketle", 1, "", `expected one of kettle, stone, found "ketle"; did you mean "kettle"?`},
		{"  oven(1)", 3, "", `expected one of kettle, stone, found "oven"`},
		{"", 1, "", `found ""`},
		{"kettle(cups=1", 7, "", "the parenthesis is not closed"},
		{"kettle(cups=1) x", 7, "", "the parenthesis is not closed"},
		{"stone(3)", 7, "", "stone takes no parameters: leave out (3)"},
		{"kettle(cpus=3)", 8, "", `kettle has no parameter "cpus" (its parameters: wait (duration), jitter (duration), `},
		{"kettle(cpus=3)", 8, "", `path (text)); did you mean "cups"?`},
		{"kettle( 5ms, speed = 3)", 14, "", `kettle has no parameter "speed" (its parameters: wait`},
		{"kettle(full=2%, cups=many)", 22, "cups", `cups: expected a whole number, found "many"`},
		{"kettle(cups=2.5)", 13, "cups", `cups: expected a whole number, found "2.5"`},
		{"kettle(cups=5000)", 13, "cups", "cups: expected from 1 to 1000, found 5000"},
		{"kettle(cups=1, cups=2)", 16, "cups", "cups is set twice"},
		{"kettle(wait=50)", 13, "wait", `wait: expected a duration such as "50ms", found "50"`},
		{"kettle(window=fast)", 15, "window", `window: expected a range of durations such as "150ms-300ms", or one duration, found "fast"`},
		{"kettle(window=300ms-150ms)", 15, "window", `window: expected a range that goes up, such as "150ms-300ms", found "300ms-150ms"`},
		{"kettle(window=1ms-1s)", 15, "window", "window: expected durations from 5ms to 1m, found 1ms-1s"},
		{"kettle(window=-1s-1s)", 15, "window", "expected a range"},
		{"kettle(full=80%)", 13, "full", "full: expected from 0% to 50%, found 80%"},
		{"kettle(full=NaN)", 13, "full", "full: expected a number"},
		{"kettle(mix=50/30)", 12, "mix", `mix: expected 3 whole numbers for milk/water/sugar, such as "50/30/20", found "50/30"`},
		{"kettle(mix=1/-2/3)", 12, "mix", "mix: expected weights from 0 to 100, found 1/-2/3"},
		{"kettle(mix=0/0/0)", 12, "mix", "mix: expected a weight above 0 for one of milk, water, sugar"},
		{"kettle(as=cofee)", 11, "as", `as: expected one of tea, coffee, found "cofee"; did you mean "coffee"?`},
		{"kettle(whistle=yes)", 16, "whistle", `whistle: expected true or false, found "yes"`},
		{"kettle(path=)", 13, "path", "path: expected a text, found nothing"},
		{"kettle(path=\x1b[2J)", 13, "path", "without control bytes"},
		{"kettle(path=\xff)", 13, "path", "without control bytes"},
		{"kettle(room=1B)", 13, "room", "room: expected from 1MiB to 1GiB, found 1B"},
		{"kettle(ü=1, cups=0)", 8, "", `has no parameter "ü"`},
		{"kettle(path=ü, cups=0)", 21, "cups", "from 1 to 1000"},
		{"kettle(whistle=true, cups=500)", 27, "cups", "at most 100 of a kettle that whistles"},
	} {
		_, _, err := Choose(all, tt.in)
		mistake := new(Error)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &mistake) || mistake.Column != tt.column || mistake.Param != tt.param {
			t.Errorf("%q: column %d, parameter %q, %v\nwant column %d, parameter %q, %s", tt.in, mistake.Column, mistake.Param, err, tt.column, tt.param, tt.want)
		}
	}
	_, _, err := Choose([]Declaration{{Name: "plain", Params: Params{kettle().Params[5]}}}, "plain(fast)")
	if err == nil || !strings.Contains(err.Error(), `"fast" fits no parameter of plain that has no value yet (its parameters: cups (whole number))`) {
		t.Errorf("a value that fits nothing: %v", err)
	}
}

func TestArgsHaveTypes(t *testing.T) {
	a := kettle().Params.Fill(Args{"wait": "-1m30s", "window": "200ms"}, nil)
	if lo, hi := a.Range("window"); lo != 200*time.Millisecond || hi != lo || a.Duration("wait") != -90*time.Second {
		t.Errorf("%v to %v, %v", lo, hi, a.Duration("wait"))
	}
	if a.Float("full") != 0.03 || a.Float("size") != 0.25 || a.Float("room") != 64<<20 || a.Float("flow") != 1e6 || a.Int("cups") != 5 {
		t.Errorf("%v", a)
	}
	if !slices.Equal(a.Weights("mix"), []int{50, 30, 20}) || a.Bool("whistle") || a["path"] != "/bin/kettle" {
		t.Errorf("%v", a)
	}
	drawn := kettle().Params.Fill(nil, func(n int) int { return n - 1 })
	if drawn["wait"] != "20ms" || drawn["cups"] != "5" {
		t.Errorf("drawn %v", drawn)
	}
}

func TestValuesFromElsewhereAreChecked(t *testing.T) {
	full, err := kettle().Resolve(Args{"cups": "7"})
	if err != nil || len(full) != len(kettle().Params) || full["cups"] != "7" || full["as"] != "tea" {
		t.Errorf("%v, %v", full, err)
	}
	for want, given := range map[string]Args{
		`no parameter "spoons"`: {"spoons": "1"},
		"from 1 to 1000":        {"cups": "0"},
		"of a kettle that":      {"cups": "101", "whistle": "true"},
	} {
		if _, err := kettle().Resolve(given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", given, err, want)
		}
	}
}

func TestADeclarationIsValidated(t *testing.T) {
	if err := kettle().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Param){
		"a name of small letters":   func(p *Param) { p.Name = "Cups" },
		"and Doc":                   func(p *Param) { p.Doc = "" },
		"declared twice":            func(p *Param) { p.Name = "wait" },
		`no parameter "steam"`:      func(p *Param) { p.Spread = "steam" },
		`write "05" as "5"`:         func(p *Param) { p.Default = "05" },
		"found 0":                   func(p *Param) { p.Draw = []string{"0"} },
		"must be below":             func(p *Param) { p.Min = "2000" },
		"is no kind of":             func(p *Param) { p.Kind = "colour" },
		"choose from two":           func(p *Param) { p.Kind = Word },
		"of two parts at least":     func(p *Param) { p.Kind = Weights },
		"a text has no bounds":      func(p *Param) { p.Kind = Text },
		`whole number, found "ten"`: func(p *Param) { p.Max = "ten" },
	} {
		d := kettle()
		change(&d.Params[5])
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestADeclarationIsPrintedInItsWidth(t *testing.T) {
	d := kettle()
	d.Params[0].Doc = strings.Repeat("long words ", 20)
	var b bytes.Buffer
	d.Print(&b, 80)
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	for _, want := range []string{"  kettle                boils water\n", "    cups=5              how many cups it fills\n", "whole number, 1 to 1000 cups\n",
		"weights of milk/water/sugar, 0 to 100\n", "tea, coffee\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	text, err := json.Marshal(d.Params.List()[5])
	if want := `{"name":"cups","type":"whole number","unit":"cups","doc":"how many cups it fills","default":"5","min":"1","max":"1000"}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

func TestCompletion(t *testing.T) {
	all := []Declaration{kettle(), {Name: "stone", Doc: "does nothing"}}
	for typed, want := range map[string][]string{
		"":                             {"kettle", "kettle(", "stone"},
		"st":                           {"stone"},
		"oven(":                        nil,
		"kettle(c":                     {"kettle(cups="},
		"kettle(cups=1,w":              {"kettle(cups=1,wait=", "kettle(cups=1,window=", "kettle(cups=1,whistle="},
		"kettle(wait=1s, window=1s, w": {"kettle(wait=1s, window=1s, whistle="},
		"kettle(as=":                   {"kettle(as=tea", "kettle(as=coffee"},
		"kettle(whistle=":              {"kettle(whistle=true", "kettle(whistle=false"},
		"kettle(cups=2, wait=":         {"kettle(cups=2, wait=50ms", "kettle(cups=2, wait=10ms", "kettle(cups=2, wait=20ms"},
		"kettle(steam=":                nil,
	} {
		var got []string
		for _, c := range Complete(all, typed) {
			got = append(got, c.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

// What the schema takes of a figure is what Canon reads of it.
func TestSchemaTakesWhatIsRead(t *testing.T) {
	schema := kettle().Params.Schema()
	for _, p := range kettle().Params {
		s := schema.Properties[p.Name]
		if s == nil || !strings.Contains(s.Description, p.Doc) || len(s.Default) == 0 || !json.Valid(s.Default) {
			t.Fatalf("%s: %+v", p.Name, s)
		}
		if s.Pattern == "" {
			continue
		}
		pattern := regexp.MustCompile(s.Pattern)
		for _, v := range append(slices.Clone(p.Draw), p.Default) {
			if !pattern.MatchString(v) {
				t.Errorf("%s: %q is refused by %s", p.Name, v, s.Pattern)
			}
		}
		if pattern.MatchString("soon") {
			t.Errorf("%s: anything is taken by %s", p.Name, s.Pattern)
		}
	}
	if s := schema.Properties["cups"]; s.Type != "integer" || *s.Minimum != 1 || *s.Maximum != 1000 || string(s.Default) != "5" {
		t.Errorf("%+v", s)
	}
	if s := schema.Properties["as"]; !slices.Equal(s.Enum, []string{"tea", "coffee"}) || string(s.Default) != `"tea"` {
		t.Errorf("%+v", s)
	}
	if *schema.AdditionalProperties {
		t.Error("parameters that there are not are taken")
	}
}

// Whatever is written is refused with a place within it, or reads back as the same.
func FuzzChoose(f *testing.F) {
	for _, seed := range []string{"kettle", "kettle(cups=3, mix=50/30/20)", `kettle(path="a,b\"", 5ms±1ms)`, "kettle(window=150-300ms,)", "kettle(((", `kettle("`,
		"kettle(full=1e-9%)", "kettle(wait=9999999h)", "kettle(cups=9223372036854775807)", "kettle(=,=)", "kettle(path==)", "kettle(±)", "\u00a0kettle\u2003(tea )"} {
		f.Add(seed)
	}
	all := []Declaration{kettle()}
	f.Fuzz(func(t *testing.T, text string) {
		d, args, err := Choose(all, text)
		if err != nil {
			mistake := new(Error)
			if !errors.As(err, &mistake) || mistake.Column < 1 || mistake.Column > utf8.RuneCountInString(text)+1 {
				t.Fatalf("%q: %#v in column %d", text, err, mistake.Column)
			}
			return
		}
		written := d.Write(args)
		_, again, err := Choose(all, written)
		if err != nil || d.Write(again) != written || fmt.Sprint(d.Params.Fill(args, nil)) != fmt.Sprint(d.Params.Fill(again, nil)) {
			t.Fatalf("%q: %v is written as %q and read back as %v, %v", text, args, written, again, err)
		}
		if full, err := d.Resolve(args); err != nil || len(full) != len(d.Params) {
			t.Fatalf("%q: %v, %v", text, full, err)
		}
	})
}
