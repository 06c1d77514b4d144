package faults

import (
	"context"
	"fmt"
	"strings"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// how is the parameter of faults that cut links.
func how() declare.Param {
	return declare.Param{Name: "how", Kind: declare.Word, Default: "drop", Draw: []string{"drop", "drop", "reject"},
		Words: []string{"drop", "reject"},
		Doc:   "drop: packets vanish, and connections hang; reject: TCP is answered with a reset, and connections break at once"}
}

func cutNeeds() []nemesis.Need { return []nemesis.Need{nemesis.NeedCut, nemesis.NeedReject} }

// cut cuts links in the way that the parameter says, and proves it.
func cut(ctx context.Context, h *nemesis.Hit, links map[history.Link]bool) error {
	if err := setCut(ctx, h, links); err != nil {
		return err
	}
	if err := h.ProveLinks(ctx, links); err != nil {
		return err
	}
	return proveRefused(ctx, h, links)
}

func setCut(ctx context.Context, h *nemesis.Hit, links map[history.Link]bool) error {
	layer := nemesis.Layer{Cut: map[history.Link]bool{}}
	for link := range links {
		layer.Cut[link] = h.Args["how"] == "reject"
	}
	return h.Links.Set(ctx, h.Plan.ID, layer)
}

// uncut takes the cut away and proves that the links are whole again.
func uncut(ctx context.Context, h *nemesis.Hit) error {
	if err := h.Links.Set(ctx, h.Plan.ID, nemesis.Layer{}); err != nil {
		return err
	}
	return h.ProveLinks(ctx, nil)
}

// proveRefused tries to connect over a pair of nodes that hear nothing of each
// other: with reject it must be refused at once, with drop it must not be.
func proveRefused(ctx context.Context, h *nemesis.Hit, links map[history.Link]bool) error {
	if h.Args["how"] != "reject" {
		return nil
	}
	for _, link := range nemesis.SortedLinks(links) {
		if link.From == nemesis.Clients || !h.Node(link.From).Up() || !h.Node(link.To).Up() {
			continue
		}
		if back := (history.Link{From: link.To, To: link.From}); links[back] {
			return refused(ctx, h, link)
		}
	}
	return nil // only one direction of each: a reset would not get through the other's rules
}

func refused(ctx context.Context, h *nemesis.Hit, link history.Link) error {
	begin := time.Now()
	answers, err := h.Node(link.From).Connect(ctx, []string{link.To}, 2*time.Second)
	if err != nil {
		return fmt.Errorf("try to connect over %s: %w", nemesis.Arrow(link), err)
	}
	took := time.Since(begin)
	if !strings.Contains(answers[0], "refused") && !strings.Contains(answers[0], "reset") {
		return fmt.Errorf("a connection over %s should be refused at once, but after %v: %q",
			nemesis.Arrow(link), took.Round(time.Millisecond), answers[0])
	}
	h.Prove(history.Measure{What: "connection refused after", Where: nemesis.Arrow(link),
		Value: float64(took.Microseconds()) / 1e3, Unit: "ms"})
	return nil
}
