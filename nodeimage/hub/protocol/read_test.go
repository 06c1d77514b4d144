package protocol

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

func config() Config {
	return Config{Folder: "/cache/run.abc", Cluster: "run.abc", Network: netip.MustParsePrefix("198.18.0.0/24"),
		BinaryPath: "/squall-node", DataDir: "/data", TempSize: 1 << 20, TempFiles: 100, Machines: []Machine{
			{Name: "n1", Addr: netip.MustParseAddr("198.18.0.10"), ServerUIDs: []int{60600}},
			{Name: "n2", Addr: netip.MustParseAddr("198.18.0.11"), CPUs: 0.5},
		}}
}

func TestConfigIsLookedAt(t *testing.T) {
	if err := config().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"folder: \"run\"":             func(c *Config) { c.Folder = "run" },
		"folder: \"/cache/../\"":      func(c *Config) { c.Folder = "/cache/../" },
		"dataDir":                     func(c *Config) { c.DataDir = "/" },
		"network":                     func(c *Config) { c.Network = netip.Prefix{} },
		"machines: there are":         func(c *Config) { c.Machines = nil },
		"tempSize":                    func(c *Config) { c.TempSize = 0 },
		"\"../n1\": not a valid name": func(c *Config) { c.Machines[0].Name = "../n1" },
		"there twice":                 func(c *Config) { c.Machines[0].Name = "n2" },
		"addr: 10.0.0.1":              func(c *Config) { c.Machines[0].Addr = netip.MustParseAddr("10.0.0.1") },
		"a limit is below 0":          func(c *Config) { c.Machines[0].Memory = -1 },
		"serverUids: 0":               func(c *Config) { c.Machines[0].ServerUIDs = []int{0} },
	} {
		c := config()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestReadLine(t *testing.T) {
	r := bufio.NewReader(strings.NewReader(`{"verb":"kill"}` + "\n" + `{"verb":"do`))
	var c Command
	if err := ReadLine(r, &c); err != nil || c.Verb != VerbKill {
		t.Errorf("%+v, %v", c, err)
	}
	if err := ReadLine(r, &c); !errors.Is(err, io.EOF) {
		t.Errorf("half a line: %v, want io.EOF", err)
	}
	long := bufio.NewReader(io.MultiReader(strings.NewReader(strings.Repeat("x", maxLine+1)), strings.NewReader("\n")))
	if err := ReadLine(long, &c); err == nil || !strings.Contains(err.Error(), "too long for this protocol") {
		t.Errorf("a line without an end: %v", err)
	}
}

// FuzzConfig: whatever is accepted stays in its folder.
func FuzzConfig(f *testing.F) {
	text, err := json.Marshal(config())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(text, '\n'))
	f.Fuzz(func(t *testing.T, in []byte) {
		var c Config
		if ReadLine(bufio.NewReader(strings.NewReader(string(in))), &c) != nil || c.Validate() != nil {
			return
		}
		for _, m := range c.Machines {
			disk := Folder(c.Folder).Disk(m.Name)
			if rel, err := filepath.Rel(c.Folder, disk); err != nil || strings.HasPrefix(rel, "..") {
				t.Errorf("the disk of %q is %s, outside %s", m.Name, disk, c.Folder)
			}
			m.Addr.As4() // must not panic
		}
	})
}

// FuzzCommands reads what follows the Config.
func FuzzCommands(f *testing.F) {
	f.Add([]byte(`{"verb":"limit","machine":"n1","id":3,"cpus":0.5,"memory":1048576}` + "\n" + `{"verb":"down"}` + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(strings.NewReader(string(in)))
		for range len(in) + 1 { // each line is a byte at least
			var c Command
			if err := ReadLine(r, &c); errors.Is(err, io.EOF) {
				return
			}
		}
		t.Error("the input does not end")
	})
}
