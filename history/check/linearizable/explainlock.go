package linearizable

import (
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// explainLock tells of a lock granted while another held it, of a token that does not
// increase, of a holder who cannot have held it, and of a release that was answered wrong.
func explainLock(v *violation[objects.LockOp]) explanation {
	if ex := v.failed(); !ex.none() {
		return ex
	}
	o := &v.suspect.said
	switch {
	case o.Granted:
		return grantedWrong(v)
	case o.Acquires:
		return wrongHolder(v)
	}
	return releasedWrong(v)
}

// grants are the acquires that were answered with a token before a moment, the last one
// first.
func grants(v *violation[objects.LockOp], before int64) (list []*entry[objects.LockOp]) {
	for i := range v.list {
		if n := &v.list[i]; n.said.Granted && n.ret < before && n.op != v.suspect.op {
			list = append(list, n)
		}
	}
	byReturn(list)
	return list
}

// releaseOf is the first release of a grant that took effect or may have; nil for none.
func releaseOf(v *violation[objects.LockOp], grant *entry[objects.LockOp]) (first *entry[objects.LockOp]) {
	for i := range v.list {
		n := &v.list[i]
		if n.op == v.suspect.op || n.said.Acquires || n.said.Answered && !n.said.Released || n.said.Owner != grant.said.Owner || n.said.Token != grant.said.Token {
			continue
		}
		if first == nil || n.call < first.call {
			first = n
		}
	}
	return first
}

// grantedWrong tells of an acquire that was granted.
func grantedWrong(v *violation[objects.LockOp]) explanation {
	before := grants(v, v.suspect.call)
	for _, g := range before {
		if releaseOf(v, g) == nil {
			return explanation{kind: check.KindDoubleGrant, beside: []*history.Op{g.op},
				sentence: v.sentence(", but "+v.answered(g.op)+", and nobody released that in between", "")}
		}
	}
	for _, g := range before {
		if g.said.Token >= v.suspect.said.Token {
			return explanation{kind: check.KindToken, beside: []*history.Op{g.op},
				sentence: v.sentence(", but "+v.answered(g.op)+", and tokens must increase", "")}
		}
	}
	return grantedThough(v)
}

// grantedThough tells of a grant while an acquire that was refused shows who holds the
// lock, such as one whose own acquire was never answered.
func grantedThough(v *violation[objects.LockOp]) explanation {
	var refused *entry[objects.LockOp]
	for i := range v.list {
		if n := &v.list[i]; n.said.Acquires && n.said.Answered && !n.said.Granted && n.ret < v.suspect.call && (refused == nil || n.ret > refused.ret) {
			refused = n
		}
	}
	if refused == nil {
		return explanation{}
	}
	for i := range v.list {
		n := &v.list[i]
		if !n.said.Acquires && n.said.Owner == refused.said.Holder && (n.said.Released || !n.said.Answered) && n.ret > refused.call {
			return explanation{}
		}
	}
	return explanation{kind: check.KindDoubleGrant, beside: []*history.Op{refused.op}, sentence: v.sentence(
		fmt.Sprintf(", but %s, and %s had not released it", v.answered(refused.op), refused.said.Holder.Show()), v.unknowns())}
}

// wrongHolder tells of an acquire that was refused because of somebody who does not hold
// the lock.
func wrongHolder(v *violation[objects.LockOp]) explanation {
	holder := v.suspect.said.Holder
	asked := false
	var last *entry[objects.LockOp] // release
	for i := range v.list {
		n := &v.list[i]
		switch {
		case n.op == v.suspect.op || n.said.Owner != holder:
		case n.said.Acquires && (n.said.Granted || !n.said.Answered):
			asked = true
		case !n.said.Acquires && n.said.Released && n.ret < v.suspect.call && (last == nil || n.ret > last.ret):
			last = n
		}
	}
	if !asked {
		return explanation{kind: check.KindWrongHolder, sentence: v.sentence(fmt.Sprintf(", but %s was never granted it", holder.Show()), "")}
	}
	if last == nil {
		return explanation{}
	}
	return explanation{kind: check.KindWrongHolder, beside: []*history.Op{last.op}, sentence: v.sentence(", but "+v.answered(last.op), "")}
}

// releasedWrong tells of a release.
func releasedWrong(v *violation[objects.LockOp]) explanation {
	o := &v.suspect.said
	var grant *entry[objects.LockOp]
	for _, g := range grants(v, forever) {
		if g.said.Owner == o.Owner && g.said.Token == o.Token {
			grant = g
		}
	}
	if grant == nil {
		if !o.Released {
			return explanation{}
		}
		for i := range v.list {
			if n := &v.list[i]; n.said.Acquires && !n.said.Answered && n.said.Owner == o.Owner {
				return explanation{} // perhaps with that token
			}
		}
		return explanation{kind: check.KindWrongHolder, sentence: v.sentence(fmt.Sprintf(", but %s was never granted token %d", o.Owner.Show(), o.Token), "")}
	}
	before := releaseOf(v, grant)
	if o.Released && before != nil {
		return explanation{kind: check.KindTwice, beside: []*history.Op{grant.op, before.op}, sentence: v.sentence(", but "+v.answered(before.op)+": one grant was released twice", "")}
	}
	if !o.Released && before == nil {
		return explanation{kind: check.KindWrongHolder, beside: []*history.Op{grant.op}, sentence: v.sentence(", but it was held so: "+v.answered(grant.op)+", and nobody had released that", "")}
	}
	return explanation{}
}
