package check

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// Every field of results.json is in its contract.
func TestResultsFormatIsWrittenDown(t *testing.T) {
	const page = "../../docs/results-format.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	gather(reflect.TypeFor[Results](), fields)
	if len(fields) < 80 {
		t.Errorf("only %d fields: the test does not see them all", len(fields))
	}
	for name, where := range fields {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s does not tell of %q, the field %s", page, name, where)
		}
	}
}

// gather collects the JSON names of a type's fields, and of those within.
func gather(t reflect.Type, into map[string]string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		gather(t.Elem(), into)
	case reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || !f.IsExported() {
				continue
			}
			if name == "" {
				name = f.Name
			}
			into[name] = t.Name() + "." + f.Name
			gather(f.Type, into)
		}
	}
}
