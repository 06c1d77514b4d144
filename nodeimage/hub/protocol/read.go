package protocol

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"regexp"
)

// maxLine bounds a line of this protocol, in bytes. The longest is the Config of
// some hundred machines with some thousand files.
const maxLine = 32 << 20

// ReadLine reads one line of JSON. At the end of the input the error is io.EOF,
// as it is in the midst of a line: who writes it is gone.
func ReadLine(r *bufio.Reader, into any) error {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		if line = append(line, piece...); len(line) > maxLine {
			return fmt.Errorf("a line of more than %d bytes is too long for this protocol", maxLine)
		}
		if err == nil {
			return json.Unmarshal(line, into)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// machineName is what can be a directory's name and a host's.
var machineName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Validate refuses what would make files outside the folder, or machines that
// cannot be told from each other.
func (c Config) Validate() error {
	for what, path := range map[string]string{"folder": c.Folder, "binaryPath": c.BinaryPath, "dataDir": c.DataDir} {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
			return fmt.Errorf("%s: %q is not an absolute path", what, path)
		}
	}
	if !c.Network.IsValid() || !c.Network.Addr().Is4() {
		return fmt.Errorf("network: %v is not one of IPv4 addresses", c.Network)
	}
	if c.TempSize <= 0 || c.TempFiles <= 0 {
		return fmt.Errorf("tempSize: %d bytes and %d files: both must be above 0", c.TempSize, c.TempFiles)
	}
	if len(c.Machines) == 0 {
		return errors.New("machines: there are none")
	}
	names, addrs := map[string]bool{}, map[netip.Addr]bool{}
	for _, m := range c.Machines {
		if err := m.validate(c.Network); err != nil {
			return fmt.Errorf("machine %q: %w", m.Name, err)
		}
		if names[m.Name] || addrs[m.Addr] {
			return fmt.Errorf("machine %q: its name or address is there twice", m.Name)
		}
		names[m.Name], addrs[m.Addr] = true, true
	}
	return c.validateFiles()
}

func (m Machine) validate(network netip.Prefix) error {
	switch {
	case !machineName.MatchString(m.Name):
		return errors.New("not a valid name")
	case !m.Addr.Is4() || !network.Contains(m.Addr):
		return fmt.Errorf("addr: %v is not in %v", m.Addr, network)
	case !(m.CPUs >= 0) || math.IsInf(m.CPUs, 0) || m.Memory < 0 || m.Processes < 0:
		return errors.New("a limit is below 0")
	}
	for _, uid := range m.ServerUIDs {
		if uid <= 0 || uid > math.MaxInt32 {
			return fmt.Errorf("serverUids: %d is no user for a server", uid)
		}
	}
	return nil
}
