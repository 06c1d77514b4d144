package nodeimage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"squall/nodeimage/carried"
	"squall/nodeimage/programs"
)

// Carried are the platforms (linux/GOARCH) that this squall carries a node for.
// It is empty for a squall that builds its nodes from sources.
func Carried() []string { return carried.Embedded().Platforms() }

// unpack puts the carried node into the cache, unless it is there already.
func unpack(opts BuildOptions, nodes carried.Nodes) (Binary, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return Binary{}, err
	}
	node, err := nodes.Find(opts.Arch)
	if errors.Is(err, fs.ErrNotExist) {
		return Binary{}, notCarried(opts.Arch, nodes)
	}
	if err != nil {
		return Binary{}, err
	}
	bin := Binary{Path: filepath.Join(opts.CacheDir, "squall-node-"+node.Key), Key: node.Key}
	if programs.Kept(bin.Path, node.Size) {
		return bin, nil
	}
	if err := os.MkdirAll(opts.CacheDir, 0o755); err != nil {
		return Binary{}, cacheError(opts.CacheDir, err)
	}
	// Several may unpack at once. Where a file that is open cannot be replaced
	// (Windows), the one that was quicker has put the same node there.
	if err := keep(bin.Path, node); err != nil && !programs.Kept(bin.Path, node.Size) {
		return Binary{}, cacheError(bin.Path, err)
	}
	programs.Prune(kept(opts.CacheDir), bin.Path)
	return bin, nil
}

func notCarried(arch string, nodes carried.Nodes) error {
	return fmt.Errorf("this squall carries squall-node for %s, but the machines are linux/%s: "+
		"build squall-node there from its sources, with Go and a checkout of squall's repository (go run ./cmd/squall)",
		strings.Join(nodes.Platforms(), ", "), arch)
}
