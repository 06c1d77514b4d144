package systemfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"squall/workloads/systems/custom"
)

// small is a file in order.
const small = `name: store
server:
  command: [/opt/store, --peers, "${peers}"]
  ports: {client: 8080}
client:
  http:
    functions:
      read: GET /${key}
      write: {request: "PUT /${key}", body: "${value}", fail: [400, {status: 500, body: no leader}]}
`

func TestReadsAFile(t *testing.T) {
	def, err := Parse("system.yaml", []byte(small), "/folder")
	if err != nil {
		t.Fatal(err)
	}
	f := def.Client.HTTP.Functions
	if def.Name != "store" || def.Folder != "/folder" || def.Server.Ports["client"] != 8080 || f.Read.Request != "GET /${key}" {
		t.Errorf("read as %+v", def)
	}
	want := custom.Matches{{Status: custom.Statuses{"400"}}, {Status: custom.Statuses{"500"}, Body: "no leader"}}
	if !reflect.DeepEqual(f.Write.Fail, want) {
		t.Errorf("fail is %+v, want %+v", f.Write.Fail, want)
	}
}

// TestADescriptionTravelsAsJSON: a plan holds what the file said.
func TestADescriptionTravelsAsJSON(t *testing.T) {
	text, err := os.ReadFile("../testdata/single/system.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"small": small, "single": string(text)} {
		def, err := Parse(name, []byte(text), "/folder")
		if err != nil {
			t.Fatal(err)
		}
		sent, err := json.Marshal(def)
		if err != nil {
			t.Fatal(err)
		}
		var back custom.Definition
		if err := json.Unmarshal(sent, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(def, &back) {
			t.Errorf("%s: sent\n%+v\nwhich came back as\n%+v", name, def, back)
		}
	}
}

// TestEveryMistakeAtOnce, each where it is.
func TestEveryMistakeAtOnce(t *testing.T) {
	const text = `name: Store
servers: {}
parameters:
  - {name: reads, default: local, choices: [locl, quorum]}
  - {name: reads, default: x}
  - {name: addr, default: x}
files:
  - {path: opt/store}
server:
  command: [store, "${peer}", "${data"]
  env: {A: "${reds}"}
  ports: {client: 80800}
  commnd: [x]
ready: {port: clent, within: soon}
election-timeout: {shortest: 2s, longest: 1s}
client:
  http:
    max-body: much
    functions:
      read: {request: "GET ${key}"}
      write: {request: "FETCH /${key}", body: "${valu}", fail: [4x]}
      cas: {request: "PUT /${key}", body: "${value}", found: "a["}
      create: {request: "PUT /${key}", refused: 409}
      delete: {request: "DELETE /all"}
      add: {request: "POST /${key|base46}", body: "${element}", refused: 409}
      elements: {request: "GET /${key}"}
`
	_, err := Parse("system.yaml", []byte(text), "/")
	var all *Errors
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	for _, want := range []string{
		`system.yaml:1:7: expected small letters, digits and dashes, at most 60, found "Store"`,
		`system.yaml:2:1: unknown key "servers"; did you mean "server"?`,
		`system.yaml:4:28: expected one of locl, quorum, found "local"`,
		`system.yaml:5:12: ${reads} is something else already`,
		`system.yaml:6:12: ${addr} is something else already`,
		`system.yaml:8:12: expected an absolute path in the machine`,
		`system.yaml:8:5: it is not said where the file comes from`,
		`system.yaml:10:13: the program must be an absolute path in the machine, such as /opt/store, found "store"`,
		`system.yaml:10:20: there is no variable ${peer} here; did you mean "peers"?`,
		`system.yaml:10:31: ${data is not closed`,
		`system.yaml:11:12: there is no variable ${reds} here; did you mean "reads"?`,
		`system.yaml:12:19: expected a port from 1 to 65535, found 80800`,
		`system.yaml:13:3: unknown key "commnd"; did you mean "command"?`,
		`system.yaml:14:15: there is no port "clent" in server.ports, and it is no number; did you mean "client"?`,
		`system.yaml:14:30: expected a duration such as "300ms" or "20s", found "soon"`,
		`system.yaml:15:19: expected a shortest timeout above 0`,
		`system.yaml:18:15: expected a whole number, found "much"`,
		`system.yaml:20:23: the path must begin with /`,
		`system.yaml:21:24: "FETCH" is no method of HTTP`,
		`system.yaml:21:47: there is no variable ${valu} here; did you mean "value"?`,
		`system.yaml:21:64: "4x" is no status of HTTP`,
		`system.yaml:22:12: it is not said which answers refuse`,
		`system.yaml:22:62: the bracket in "a[" is not closed`,
		`system.yaml:23:25: the request of create does not use ${value}`,
		`system.yaml:24:25: the request of delete does not use ${key}`,
		`system.yaml:25:22: there is no filter "base46"; did you mean "base64"?`,
		`system.yaml:25:74: add cannot be refused`,
		`system.yaml:26:17: it is not said where the elements stand`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestWhatIsNoSystemFile(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "none.yaml"):                   "`squall init system` writes an example",
		folder:                                               "not a regular file",
		write("program.yaml", "\x7fELF\x00"):                 "is not text",
		write("empty.yaml", "# nothing\n"):                   "1:1: the file says nothing",
		write("broken.yaml", "name: [\n"):                    "not YAML",
		write("list.yaml", "- a\n"):                          "1:1: expected keys and values, found a list",
		write("twice.yaml", small+"name: other\n"):           "10:1: name is there twice; first in line 1",
		write("alias.yaml", "name: &a x\ndescription: *a\n"): "2:14: write out what the alias stands for",
		write("two.yaml", small+"  program: {command: [/opt/c], workloads: [register]}\n"):                "clients speak in one way, and there are http and program",
		write("none-served.yaml", strings.Replace(small, "read: GET", "delete: DELETE", 1)):               "no workload can be run with these functions",
		write("date.yaml", strings.Replace(small, `body: "${value}"`, `json: {at: 2001-01-01}`, 1)):       "expected what JSON can hold",
		write("bodies.yaml", strings.Replace(small, `body: "${value}"`, `body: "${value}", json: {}`, 1)): "leave one of body, json and form",
	} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
