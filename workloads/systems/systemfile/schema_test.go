package systemfile

import (
	"encoding/json"
	"os"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestTheSchemaTakesWhatTheReaderTakes, and refuses a key that there is not.
func TestTheSchemaTakesWhatTheReaderTakes(t *testing.T) {
	schema, err := Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var tree any
		if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		plain, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(plain, &tree); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(tree)
	}
	texts := []string{small}
	for _, path := range []string{"../testdata/single/system.yaml", "../testdata/respstore/system.yaml", "../../../cmd/squall/examples/system.yaml", "../../../docs/examples/raftexample/system.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		if _, err := Parse("system.yaml", []byte(text), "/"); err != nil {
			t.Error(err)
		}
		if err := valid(text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	if valid(small+"sever: {}\n") == nil {
		t.Error("the schema takes a key that there is not")
	}
}
