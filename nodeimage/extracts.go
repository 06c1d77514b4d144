package nodeimage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
	home := filepath.Join(folder, hex.EncodeToString(sum[:])[:20])
	if path, kept := programs.Content(home); kept {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", cacheError(home, err)
	}
	var failed error
	path, err = programs.Keep(home, func(path string) error {
		failed = writeTo(path, write)
		return failed
	})
	switch {
	case failed != nil:
		return "", failed
	case err != nil:
		return "", cacheError(home, err)
	}
	programs.Prune(filepath.Join(folder, "*"), home)
	return path, nil
}

// writeTo makes a program of what write writes.
func writeTo(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return cacheError(path, err)
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return cacheError(path, err)
	}
	return os.Chmod(path, 0o755) // whatever the umask is
}

// ClearExtracts removes all of them but those that a test that is starting may need,
// and says how many.
func ClearExtracts() (int, error) {
	folder, err := extracts()
	if err != nil {
		return 0, err
	}
	return programs.Clear(folder)
}
