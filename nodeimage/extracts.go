package nodeimage

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"squall/nodeimage/programs"
)

// Extract is a file out of an image of containers, kept on this computer.
type Extract struct {
	ID   string // of the image, which stands for its content
	Path string // in the image
}

// extracts is where they are kept.
func extracts() (string, error) {
	cache, err := CacheDir()
	return filepath.Join(cache, "extracts"), err
}

// Keep returns the path of the file, which write writes where it was not kept before.
func (e Extract) Keep(write func(io.Writer) error) (path string, err error) {
	folder, err := extracts()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(e.ID + "\n" + e.Path))
	path = filepath.Join(folder, hex.EncodeToString(sum[:])[:20])
	if programs.Kept(path, 0) {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", cacheError(path, err)
	}
	if err := keep(path, writerTo(write)); err != nil {
		return "", err
	}
	programs.Prune(filepath.Join(folder, "*"), path)
	return path, nil
}

type writerTo func(io.Writer) error

// WriteTo counts nothing: nobody asks.
func (w writerTo) WriteTo(to io.Writer) (int64, error) { return 0, w(to) }

// ClearExtracts removes all of them but those that a test that is starting may need,
// and says how many.
func ClearExtracts() (int, error) {
	folder, err := extracts()
	if err != nil {
		return 0, err
	}
	return programs.Clear(folder)
}
