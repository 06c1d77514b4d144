package transactions

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

func readBank(b objects.Bank, call, ret int64, balances ...int64) history.Op {
	var out []history.Data
	for _, n := range balances {
		out = append(out, history.Data(fmt.Sprint(n)))
	}
	return history.Op{Node: "n1", Func: history.Read, In: b.Data(), Out: history.List(out...), Outcome: history.OK, Call: call, Return: ret}
}

func moved(from, to, amount int64, outcome history.Outcome, call, ret int64) history.Op {
	return history.Op{Node: "n2", Func: objects.Transfer, In: objects.Move{From: from, To: to, Amount: amount}.Data(), Outcome: outcome, Call: call, Return: ret}
}

func checkBank(t testing.TB, ops ...history.Op) check.Result {
	t.Helper()
	return Bank().Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: objects.BankFunctions()}, Ops: ops}})
}

func TestBank(t *testing.T) {
	b := objects.Bank{Accounts: 3, Each: 10}
	over := objects.Bank{Accounts: 3, Each: 10, Overdraw: true}
	for name, c := range map[string]struct {
		ops   []history.Op
		want  check.Verdict
		kind  check.Kind
		tells string // the summary and the explanation
	}{
		"all there":            {[]history.Op{moved(0, 1, 4, history.OK, 1, 2), readBank(b, 3, 4, 6, 14, 10)}, check.Pass, "", "1 read found all the money, while there were 1 transfer"},
		"too few":              {[]history.Op{moved(0, 1, 4, history.Info, 1, 9), readBank(b, 3, 4, 6, 10, 10), readBank(b, 5, 6, 6, 14, 10)}, check.Violation, check.KindTotal, "26 in all, and there must be 30, so it is 4 too few. A transfer of as much, from 0 to 1, was called on n2"},
		"too many":             {[]history.Op{moved(0, 1, 4, history.OK, 1, 2), readBank(b, 3, 4, 10, 14, 10)}, check.Violation, check.KindTotal, "so it is 4 too many."},
		"overdrawn":            {[]history.Op{readBank(b, 3, 4, -1, 21, 10)}, check.Violation, check.KindOverdrawn, "account 0 holds -1, and no transfer may overdraw it"},
		"allowed to":           {[]history.Op{readBank(over, 3, 4, -1, 21, 10)}, check.Pass, "", ""},
		"nobody looked":        {[]history.Op{moved(0, 1, 4, history.OK, 1, 2)}, check.Unknown, "", "no read was answered"},
		"too short":            {[]history.Op{readBank(b, 3, 4, 10, 20)}, check.Unknown, "", "a read of 3 accounts"},
		"no move":              {[]history.Op{moved(1, 1, 4, history.OK, 1, 2)}, check.Unknown, "", "no move between two accounts"},
		"no number":            {[]history.Op{{Func: history.Read, In: b.Data(), Out: `["x",1,2]`, Outcome: history.OK}}, check.Unknown, "", "want a whole number"},
		"another function":     {[]history.Op{{Func: history.Write, In: b.Data(), Outcome: history.OK}}, check.Unknown, "", "does not know"},
		"a read of no bank":    {[]history.Op{{Func: history.Read, In: "[]", Outcome: history.OK}}, check.Unknown, "", `a read whose "i" is`},
		"a read that is early": {[]history.Op{readBank(b, 1, 2, 9, 9, 9), readBank(b, 3, 4, 9, 9, 10)}, check.Violation, check.KindTotal, "27 in all"},
	} {
		res := checkBank(t, c.ops...)
		if res.Verdict != c.want || res.Kind != c.kind || !strings.Contains(res.Summary+res.Explanation, c.tells) {
			t.Errorf("%s: %s, %s: %s: %s", name, res.Verdict, res.Kind, res.Summary, res.Explanation)
		}
		if c.want == check.Violation && (len(res.Witness) == 0 || res.FirstAt == nil || res.RuledOut[0] != "snapshot isolation") {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

// TestBankAgainstTheDefinition: the verdict is that of adding up every read, whatever was moved.
func TestBankAgainstTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	said := map[bool]int{}
	for range 5000 {
		b := objects.Bank{Accounts: 2 + rng.Int64N(3), Each: rng.Int64N(5), Overdraw: rng.IntN(2) == 0}
		balances := make([]int64, b.Accounts)
		for i := range balances {
			balances[i] = b.Each
		}
		var ops []history.Op
		right := true
		for i := range int64(1 + rng.IntN(8)) {
			from := rng.Int64N(b.Accounts)
			to := (from + 1) % b.Accounts
			m := objects.Move{From: from, To: to, Amount: 1 + rng.Int64N(3)}
			if balances[from] >= m.Amount || b.Overdraw || rng.IntN(20) == 0 {
				balances[from] -= m.Amount
				if rng.IntN(15) > 0 {
					balances[to] += m.Amount
				}
				ops = append(ops, moved(from, to, m.Amount, history.OK, 4*i, 4*i+1))
			}
			ops = append(ops, readBank(b, 4*i+2, 4*i+3, balances...))
			sum := int64(0)
			for _, n := range balances {
				sum += n
				right = right && (n >= 0 || b.Overdraw)
			}
			right = right && sum == b.Accounts*b.Each
		}
		said[right]++
		if res := checkBank(t, ops...); (res.Verdict == check.Pass) != right {
			t.Fatalf("%s, and right is %t: %s", res.Verdict, right, res.Explanation)
		}
	}
	if min(said[true], said[false]) < 500 {
		t.Errorf("%v: too few of either to mean anything", said)
	}
}
