package check

import (
	"fmt"

	"squall/history"
)

// explainLock tells of a lock granted while another held it, of a token that does not
// increase, of a holder who cannot have held it, and of a release that was answered wrong.
func explainLock(v *violation[lockOp]) explanation {
	if ex := v.failed(); !ex.none() {
		return ex
	}
	o := &v.suspect.said
	switch {
	case o.granted:
		return grantedWrong(v)
	case o.acquires:
		return wrongHolder(v)
	}
	return releasedWrong(v)
}

// grants are the acquires that were answered with a token before a moment, the last one
// first.
func grants(v *violation[lockOp], before int64) (list []*entry[lockOp]) {
	for i := range v.list {
		if n := &v.list[i]; n.said.granted && n.ret < before && n.op != v.suspect.op {
			list = append(list, n)
		}
	}
	byReturn(list)
	return list
}

// releaseOf is the first release of a grant that took effect or may have; nil for none.
func releaseOf(v *violation[lockOp], grant *entry[lockOp]) (first *entry[lockOp]) {
	for i := range v.list {
		n := &v.list[i]
		if n.op == v.suspect.op || n.said.acquires || n.said.answered && !n.said.released || n.said.owner != grant.said.owner || n.said.token != grant.said.token {
			continue
		}
		if first == nil || n.call < first.call {
			first = n
		}
	}
	return first
}

// grantedWrong tells of an acquire that was granted.
func grantedWrong(v *violation[lockOp]) explanation {
	before := grants(v, v.suspect.call)
	for _, g := range before {
		if releaseOf(v, g) == nil {
			return explanation{kind: KindDoubleGrant, beside: []*history.Op{g.op},
				sentence: v.sentence(", but "+v.answered(g.op)+", and nobody released that in between", "")}
		}
	}
	for _, g := range before {
		if g.said.token >= v.suspect.said.token {
			return explanation{kind: KindToken, beside: []*history.Op{g.op},
				sentence: v.sentence(", but "+v.answered(g.op)+", and tokens must increase", "")}
		}
	}
	return grantedThough(v)
}

// grantedThough tells of a grant while an acquire that was refused shows who holds the
// lock, such as one whose own acquire was never answered.
func grantedThough(v *violation[lockOp]) explanation {
	var refused *entry[lockOp]
	for i := range v.list {
		if n := &v.list[i]; n.said.acquires && n.said.answered && !n.said.granted && n.ret < v.suspect.call && (refused == nil || n.ret > refused.ret) {
			refused = n
		}
	}
	if refused == nil {
		return explanation{}
	}
	for i := range v.list {
		n := &v.list[i]
		if !n.said.acquires && n.said.owner == refused.said.holder && (n.said.released || !n.said.answered) && n.ret > refused.call {
			return explanation{}
		}
	}
	return explanation{kind: KindDoubleGrant, beside: []*history.Op{refused.op}, sentence: v.sentence(
		fmt.Sprintf(", but %s, and %s had not released it", v.answered(refused.op), refused.said.holder.Show()), v.unknowns())}
}

// wrongHolder tells of an acquire that was refused because of somebody who does not hold
// the lock.
func wrongHolder(v *violation[lockOp]) explanation {
	holder := v.suspect.said.holder
	asked := false
	var last *entry[lockOp] // release
	for i := range v.list {
		n := &v.list[i]
		switch {
		case n.op == v.suspect.op || n.said.owner != holder:
		case n.said.acquires && (n.said.granted || !n.said.answered):
			asked = true
		case !n.said.acquires && n.said.released && n.ret < v.suspect.call && (last == nil || n.ret > last.ret):
			last = n
		}
	}
	if !asked {
		return explanation{kind: KindWrongHolder, sentence: v.sentence(fmt.Sprintf(", but %s was never granted it", holder.Show()), "")}
	}
	if last == nil {
		return explanation{}
	}
	return explanation{kind: KindWrongHolder, beside: []*history.Op{last.op}, sentence: v.sentence(", but "+v.answered(last.op), "")}
}

// releasedWrong tells of a release.
func releasedWrong(v *violation[lockOp]) explanation {
	o := &v.suspect.said
	var grant *entry[lockOp]
	for _, g := range grants(v, forever) {
		if g.said.owner == o.owner && g.said.token == o.token {
			grant = g
		}
	}
	if grant == nil {
		if !o.released {
			return explanation{}
		}
		for i := range v.list {
			if n := &v.list[i]; n.said.acquires && !n.said.answered && n.said.owner == o.owner {
				return explanation{} // perhaps with that token
			}
		}
		return explanation{kind: KindWrongHolder, sentence: v.sentence(fmt.Sprintf(", but %s was never granted token %d", o.owner.Show(), o.token), "")}
	}
	before := releaseOf(v, grant)
	if o.released && before != nil {
		return explanation{kind: KindTwice, beside: []*history.Op{grant.op, before.op}, sentence: v.sentence(", but "+v.answered(before.op)+": one grant was released twice", "")}
	}
	if !o.released && before == nil {
		return explanation{kind: KindWrongHolder, beside: []*history.Op{grant.op}, sentence: v.sentence(", but it was held so: "+v.answered(grant.op)+", and nobody had released that", "")}
	}
	return explanation{}
}
