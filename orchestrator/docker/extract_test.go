package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"squall/orchestrator/machines"
)

// imported is an image with these files on the engine, for the time of the test. A
// text that begins with "->" is a symbolic link, one that ends with "/" a folder.
func imported(t *testing.T, r *Runtime, content map[string]string) (reference string) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, text := range content {
		head := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}
		if link, is := strings.CutPrefix(text, "->"); is {
			head.Typeflag, head.Linkname, head.Size, text = tar.TypeSymlink, link, 0, ""
		} else if strings.HasSuffix(name, "/") {
			head.Typeflag, head.Size, text = tar.TypeDir, 0, ""
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	reference = "squall-test/image:" + strings.ToLower(rand.Text()[:10])
	answer, err := r.api.ImageImport(t.Context(), image.ImportSource{Source: &archive, SourceName: "-"}, reference, image.ImportOptions{})
	if err == nil {
		err = errors.Join(messagesOf(answer), answer.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := r.api.ImageRemove(context.Background(), reference, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return reference
}

func TestFilesOutOfAnImage(t *testing.T) {
	t.Parallel()
	r := engine(t)
	arch, err := r.Arch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reference := imported(t, r, map[string]string{
		"opt/server": "the program", "usr/bin/server": "->../../opt/server", "server": "->/usr/bin/server", "loop": "->loop", "opt/": "", "lost": "->/nowhere",
	})
	none := func() { t.Error("it was pulled") }
	id, err := r.FindImage(t.Context(), reference, arch, none)
	if err != nil || !strings.HasPrefix(id, "sha256:") {
		t.Fatalf("it found %q, %v", id, err)
	}
	for path, want := range map[string]string{"/opt/server": "the program", "/server": "the program",
		"/nope": "!the image has no file /nope", "/opt": "!/opt in the image is a folder", "/loop": "!a chain of symbolic links without an end", "/lost": "!the image has no file /lost"} {
		var got bytes.Buffer
		err := r.CopyFromImage(t.Context(), id, path, &got)
		if text, fails := strings.CutPrefix(want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), text) || !errors.As(err, new(*machines.ImageError)) {
				t.Errorf("%s: %v, want %q", path, err, text)
			}
		} else if err != nil || got.String() != want {
			t.Errorf("%s is %q, %v", path, got.String(), err)
		}
	}
	wantNothing(t, r, "image-file")

	pulled := false
	_, err = r.FindImage(t.Context(), "127.0.0.1:1/nobody/nothing:1", arch, func() { pulled = true })
	if err == nil || !pulled || !errors.As(err, new(*machines.ImageError)) || !strings.Contains(err.Error(), "correct its name") {
		t.Errorf("of a registry that is not there: %v; pulled: %v", err, pulled)
	}
}

// An engine may have an image for another processor, by the same name.
func TestAnImageOfAnotherProcessorIsRefused(t *testing.T) {
	t.Parallel()
	r := connect(t, (&fakeEngine{answers: map[string]http.HandlerFunc{
		"GET /images/{name...}": says(200, map[string]string{"Id": "sha256:1", "Os": "linux", "Architecture": "arm64"}),
	}}).start(t))
	none := func() { t.Error("it was pulled") }
	if id, err := r.FindImage(t.Context(), "store:1", "arm64", none); id != "sha256:1" || err != nil {
		t.Errorf("of its own processor: %q, %v", id, err)
	}
	_, err := r.FindImage(t.Context(), "store:1", "amd64", none)
	if err == nil || !errors.As(err, new(*machines.ImageError)) ||
		!strings.Contains(err.Error(), "is for linux/arm64, but the machines are linux/amd64: pull the one for that (docker pull --platform linux/amd64 store:1)") {
		t.Errorf("of another processor: %v", err)
	}
}
