package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/history"
	"squall/nemesis"
)

// membering is a fault on who belongs to the cluster: what to ask for, and what
// to ask for to undo it.
type membering struct {
	name, doc string
	variants  []nemesis.Variant
	needs     []nemesis.Need // beside a system whose members can be changed
	// servers says that servers are ended and started, too: of a member that leaves, the
	// server may end by itself.
	servers  bool
	do, undo func(ctx context.Context, c changes, node string) error
}

func (m membering) fault() nemesis.Fault {
	holds := []nemesis.Resource{nemesis.HoldMembers}
	if m.servers {
		holds = append(holds, nemesis.HoldServers)
	}
	return nemesis.Fault{
		Name: m.name, Kind: history.KindMembership, Doc: m.doc,
		Variants: m.variants,
		Needs:    append([]nemesis.Need{nemesis.NeedMembership}, m.needs...),
		Holds:    holds,
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
	members, err := c.see(ctx, func(nemesis.Members) error { return nil })
	if err != nil {
		return err
	}
	h.Say("members: %v", members)
	h.Note(history.Measure{What: "voters", Value: float64(len(members.Voters))})
	return nil
}

// changes asks for changes and keeps the roster of what was asked.
type changes struct {
	nemesis.Membership
	roster *nemesis.Roster
	h      *nemesis.Hit
}

// How long it may take until the system shows what it was asked for, and how often it is
// looked at meanwhile.
const (
	seenWithin = 5 * time.Second
	lookEvery  = 100 * time.Millisecond
)

// ask makes one request and returns when the system says that the node has the standing
// that was asked for. A request without an answer may have been carried out: what the
// members are decides. One that was refused is an error, for it changed nothing.
func (c changes) ask(ctx context.Context, node string, want nemesis.Standing, what string, request func() error) error {
	if members, err := c.Members(ctx); err == nil && members.Standing(node) == want && c.roster.Seen(members) == nil {
		return nil // of a try before
	}
	err := request()
	refused := errors.Is(err, nemesis.ErrRefused)
	c.roster.Asked(node, want, refused, err)
	if refused {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err != nil {
		c.h.Say("%s of %s: %v", what, node, err)
	}
	_, failure := c.see(ctx, func(m nemesis.Members) error {
		if is := m.Standing(node); is != want {
			return fmt.Errorf("%s: it is %s, and is to be %s (%v)", what, is.Noun(), want.Noun(), m)
		}
		return nil
	})
	if failure != nil {
		return errors.Join(failure, err)
	}
	c.h.Say("%s of %s: done", what, node)
	return nil
}

// see returns when the members are such as were asked for, and wanted holds of them; for a
// while, for who is asked may be behind.
func (c changes) see(ctx context.Context, wanted func(nemesis.Members) error) (members nemesis.Members, err error) {
	for deadline := time.Now().Add(seenWithin); ; {
		if members, err = c.Members(ctx); err != nil {
			err = fmt.Errorf("ask who the members are: %w", err)
		} else if err = c.roster.Seen(members); err == nil {
			err = wanted(members)
		}
		if err == nil || time.Now().After(deadline) {
			return members, err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return members, err
		}
	}
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

// start has the server of a node run.
func (c changes) start(ctx context.Context, node string) error {
	n := c.h.Node(node)
	if err := n.Start(ctx); err != nil {
		return err
	}
	p, err := n.Process(ctx)
	if err != nil {
		return fmt.Errorf("look at its process: %w", err)
	}
	text, ok := alive(p)
	if !ok {
		return fmt.Errorf("it is not as it should be: %s", text)
	}
	c.h.Say("%s: %s", node, text)
	return nil
}

// outside makes sure that a node is no member, and remembers nothing of having
// been one.
func outside(ctx context.Context, c changes, node string) error {
	if err := c.remove(ctx, node); err != nil {
		return err
	}
	return c.wipe(ctx, node)
}

// wipe takes a node's disk.
func (c changes) wipe(ctx context.Context, node string) error {
	if err := c.Wipe(ctx, node); err != nil {
		return err
	}
	c.h.Say("%s: its server has ended and its disk is empty", node)
	return nil
}

// backAsVoter makes sure that a node is a member that votes and that its server
// runs. One that was removed comes back as a new member, without what it knew.
func backAsVoter(ctx context.Context, c changes, node string) error {
	members, err := c.Members(ctx)
	if err != nil {
		return fmt.Errorf("ask who the members are: %w", err)
	}
	switch members.Standing(node) {
	case nemesis.Voter:
		return c.start(ctx, node)
	case nemesis.Learner:
		if err := c.start(ctx, node); err != nil { // before it has caught up nobody promotes it
			return err
		}
		return c.promote(ctx, node)
	}
	if err := c.wipe(ctx, node); err != nil {
		return err
	}
	if err := c.add(ctx, node, false); err != nil {
		return err
	}
	return c.start(ctx, node)
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
