package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
)

func TestOutdatedImages(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var images []image.Summary
	for i := range 12 { // one a day, the newest an hour and a day old, oldest first
		images = append(images, image.Summary{ID: string(rune('a' + i)), Created: now.Add(-time.Duration(12-i) * 25 * time.Hour).Unix()})
	}
	got := ""
	for _, i := range outdated(images, now) {
		got += i.ID
	}
	if got != "dcba" {
		t.Errorf("of 12 images %q are outdated, want the oldest four, dcba", got)
	}
	for i := range images {
		images[i].Created = now.Add(-time.Minute).Unix()
	}
	if late := outdated(images, now); len(late) != 0 {
		t.Errorf("%d images of a minute ago are outdated", len(late))
	}
	if few := outdated(images[:3], now.Add(100*time.Hour)); len(few) != 0 {
		t.Errorf("%d of three images are outdated", len(few))
	}
}
