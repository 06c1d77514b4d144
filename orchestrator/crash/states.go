package crash

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"squall/nodeimage/disk"
)

// State is what a power cut at a moment may have left on all nodes.
type State struct {
	// ID stands for all names and bytes on all disks, and for how much was acknowledged; Disks for the
	// former alone.
	ID    string `json:"id"`
	Disks string `json:"disks"`
	Moment
	Acknowledged int                 `json:"acknowledged"` // changes that clients had been told were made
	Variant      int                 `json:"variant"`      // its number among those of the moment
	Kinds        map[string]disk.How `json:"kinds"`        // by node
	// Choices are what survives, by node, of a state that is no variant: one that was made smaller.
	Choices map[string]disk.Choice `json:"choices,omitempty"`
}

// made is a state with its disks.
type made struct {
	State
	images map[string]*disk.Image // by node
}

// variants are the kinds of states that a moment is tried with. Of each, every node has a kind of its own. The
// first firstVariants have found most.
func variants(nodes int, why Why, rng *rand.Rand) [][]disk.How {
	all := func(how disk.How) []disk.How {
		list := make([]disk.How, nodes)
		for i := range list {
			list[i] = how
		}
		return list
	}
	// The power goes for all at once: what is not synced anywhere is nowhere.
	list := [][]disk.How{all(disk.SyncedOnly), all(disk.Prefix), all(disk.Torn512), all(disk.Reordered), all(disk.NamesLost)}
	for range drawnVariants {
		drawn := make([]disk.How, nodes)
		for i := range drawn {
			drawn[i] = disk.Hows()[rng.IntN(len(disk.Hows()))]
		}
		list = append(list, drawn)
	}
	for i := range nodes { // all but one lose, and one alone does
		keeps, loses := all(disk.SyncedOnly), all(disk.Everything)
		keeps[i], loses[i] = disk.Everything, disk.SyncedOnly
		list = append(list, keeps, loses)
	}
	list = append(list, all(disk.Torn4096), all(disk.Everything)) // the last: every process was killed, and no more
	if why == WhyTear {
		return append([][]disk.How{all(disk.Torn512), all(disk.Torn4096), all(disk.Torn512), all(disk.Torn512)}, list...)
	}
	return list
}

const (
	drawnVariants = 8
	firstVariants = 6
)

// maker makes the states of one moment.
type maker struct {
	storm *Storm
	walks walks
	seed  uint64
	// What does not depend on numbers is made once a node.
	fixed []map[disk.How]*disk.Image
}

func newMaker(s *Storm, ws walks, seed uint64) *maker {
	m := &maker{storm: s, walks: ws, seed: seed}
	for range ws {
		m.fixed = append(m.fixed, map[disk.How]*disk.Image{})
	}
	return m
}

// each makes the states of a moment, to which the walks have come: its variants from a number up to another. What equals
// one of them before is left out. do is called for each; its error ends it.
func (m *maker) each(moment Moment, from, to int, do func(*made) error) error {
	acked := m.storm.acknowledged(moment.At)
	seen := map[string]bool{}
	list := variants(len(m.walks), moment.Why, m.rng(moment, -1))
	for n := from; n < min(to, len(list)); n++ {
		one, err := m.variant(moment, n, list[n], acked)
		if err != nil {
			return err
		}
		if seen[one.ID] {
			continue
		}
		seen[one.ID] = true
		if err := do(one); err != nil {
			return err
		}
	}
	return nil
}

// rng is what is random in a variant of a moment.
func (m *maker) rng(moment Moment, variant int) *rand.Rand {
	return rand.New(rand.NewPCG(m.seed+uint64(variant+1)*0x9e3779b97f4a7c15, uint64(moment.At)))
}

func (m *maker) variant(moment Moment, n int, hows []disk.How, acked int) (*made, error) {
	one := &made{State: State{Moment: moment, Acknowledged: acked, Variant: n, Kinds: map[string]disk.How{}}, images: map[string]*disk.Image{}}
	rng := m.rng(moment, n)
	for i, w := range m.walks {
		img, err := m.image(i, hows[i], rng)
		if err != nil {
			return nil, fmt.Errorf("the disk of %s at %d ns: %w", w.disk.Node, moment.At, err)
		}
		one.images[w.disk.Node], one.Kinds[w.disk.Node] = img, img.Choice.How
	}
	one.identify(m.walks)
	return one, nil
}

func (m *maker) image(i int, how disk.How, rng *rand.Rand) (*disk.Image, error) {
	if img := m.fixed[i][how]; img != nil {
		return img, nil
	}
	model := m.walks[i].model
	choice, _ := model.Choose(how, rng)
	img, err := model.Image(choice)
	if err != nil {
		return nil, err
	}
	switch how {
	case disk.SyncedOnly, disk.NamesLost, disk.Everything:
		m.fixed[i][how] = img
	}
	return img, nil
}

// identify sums a state up.
func (m *made) identify(ws walks) {
	sum := sha256.New()
	for _, w := range ws {
		fmt.Fprintf(sum, "%q %s\n", w.disk.Node, m.images[w.disk.Node].Digest())
	}
	m.Disks = hex.EncodeToString(sum.Sum(nil))[:16]
	fmt.Fprintln(sum, m.Acknowledged)
	m.ID = hex.EncodeToString(sum.Sum(nil))[:16]
}

// remake makes a state again, and lets use have it together with the disks at its moment.
func remake(s *Storm, st State, seed uint64, use func(*made, walks) error) error {
	ws := newWalks(s.Disks)
	defer ws.close()
	if err := ws.advance(st.At); err != nil {
		return err
	}
	var one *made
	var err error
	if st.Choices != nil {
		one, err = choose(s, ws, st.Moment, st.Choices)
	} else {
		m := newMaker(s, ws, seed)
		list := variants(len(ws), st.Why, m.rng(st.Moment, -1))
		if st.Variant < 0 || st.Variant >= len(list) {
			return fmt.Errorf("the state is variant %d of its moment, and there are %d", st.Variant, len(list))
		}
		one, err = m.variant(st.Moment, st.Variant, list[st.Variant], s.acknowledged(st.At))
	}
	if err != nil {
		return err
	}
	return use(one, ws)
}

// choose makes the state of a moment, to which the walks have come, by choices.
func choose(s *Storm, ws walks, moment Moment, choices map[string]disk.Choice) (*made, error) {
	one := &made{State: State{Moment: moment, Acknowledged: s.acknowledged(moment.At), Choices: choices, Kinds: map[string]disk.How{}}, images: map[string]*disk.Image{}}
	for _, w := range ws {
		choice, ok := choices[w.disk.Node]
		if !ok {
			return nil, fmt.Errorf("the state does not say what is on the disk of %s", w.disk.Node)
		}
		img, err := w.model.Image(choice)
		if err != nil {
			return nil, fmt.Errorf("the disk of %s at %d ns: %w", w.disk.Node, moment.At, err)
		}
		one.images[w.disk.Node], one.Kinds[w.disk.Node] = img, choice.How
	}
	one.identify(ws)
	return one, nil
}

// lost tells what each node lost that lost something.
func (m *made) lost() map[string]disk.Loss {
	lost := map[string]disk.Loss{}
	for node, img := range m.images {
		if !img.Lost.Empty() {
			lost[node] = img.Lost
		}
	}
	return lost
}
