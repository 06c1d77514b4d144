package faults

import (
	"context"
	"errors"
	"fmt"

	"squall/history"
	"squall/nemesis"
)

// membering is a fault on who belongs to the cluster: what to ask for, and what
// to ask for to undo it.
type membering struct {
	name, doc string
	variants  []nemesis.Variant
	do        func(ctx context.Context, c changes, node string) error
	undo      func(ctx context.Context, c changes, node string) error
}

func (m membering) fault() nemesis.Fault {
	return nemesis.Fault{
		Name: m.name, Kind: history.KindMembership, Doc: m.doc,
		Variants: m.variants,
		Needs:    []nemesis.Need{nemesis.NeedMembership},
		Holds:    []nemesis.Resource{nemesis.HoldMembers},
		MinNodes: 3,
		Inject: func(ctx context.Context, h *nemesis.Hit) error {
			chosen, err := choose(h)
			if err != nil {
				return err
			}
			return m.each(ctx, h, chosen, m.do)
		},
		Undo: func(ctx context.Context, h *nemesis.Hit) error { return m.each(ctx, h, h.Targets, m.undo) },
	}
}

// each changes the members one node at a time and holds what the system then
// says against what was asked.
func (m membering) each(ctx context.Context, h *nemesis.Hit, nodes []string,
	change func(context.Context, changes, string) error) error {
	membership, roster := h.Membership()
	if membership == nil {
		return fmt.Errorf("the system under test has no members that could be changed")
	}
	c := changes{Membership: membership, roster: roster, h: h}
	for _, node := range nodes {
		if err := change(ctx, c, node); err != nil {
			return fmt.Errorf("%s: %w", node, err)
		}
	}
	members, err := membership.Members(ctx)
	if err != nil {
		return fmt.Errorf("ask who the members are: %w", err)
	}
	h.Say("members: %v", members)
	h.Note(history.Measure{What: "voters", Value: float64(len(members.Voters))})
	return roster.Seen(members)
}

// changes asks for changes and keeps the roster of what was asked.
type changes struct {
	nemesis.Membership
	roster *nemesis.Roster
	h      *nemesis.Hit
}

// ask makes one request and holds who the members then are against what was
// asked. That the system refuses it, or does not answer, is recorded and is no
// error: a cluster in a storm may do so.
func (c changes) ask(ctx context.Context, node string, want nemesis.Standing, what string, request func() error) error {
	err := request()
	c.roster.Asked(node, want, errors.Is(err, nemesis.ErrRefused), err)
	if err != nil {
		c.h.Say("%s of %s: %v", what, node, err)
		return nil
	}
	c.h.Say("%s of %s: done", what, node)
	members, err := c.Members(ctx)
	if err != nil {
		return fmt.Errorf("ask who the members are: %w", err)
	}
	return c.roster.Seen(members)
}

func (c changes) add(ctx context.Context, node string, learner bool) error {
	want := nemesis.Voter
	if learner {
		want = nemesis.Learner
	}
	return c.ask(ctx, node, want, "addition", func() error { return c.Add(ctx, node, learner) })
}

func (c changes) remove(ctx context.Context, node string) error {
	return c.ask(ctx, node, nemesis.Outside, "removal", func() error { return c.Remove(ctx, node) })
}

func (c changes) promote(ctx context.Context, node string) error {
	return c.ask(ctx, node, nemesis.Voter, "promotion", func() error { return c.Promote(ctx, node) })
}

// members are the variants of faults that change one member.
func members(names ...string) []nemesis.Variant {
	var some []nemesis.Variant
	for _, v := range targets() {
		for _, name := range names {
			if v.Name == name {
				some = append(some, v)
			}
		}
	}
	return some
}
