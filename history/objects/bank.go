package objects

import (
	"errors"
	"fmt"
	"strconv"

	"squall/history"
)

// Transfer is the function that moves money between accounts.
const Transfer history.Func = "transfer"

// BankFunctions are the functions of the check "bank".
//
//   - transfer takes {"from":0,"to":1,"amount":3}: accounts by number, and how much is moved, 1 or more.
//     One that would overdraw an account fails.
//   - read takes {"accounts":8,"each":10}, how many accounts there are and what each held at
//     first, and answers with the balances of all, by account. "overdraw":true allows balances
//     below 0.
func BankFunctions() history.Functions {
	return history.Functions{
		{Name: Transfer, Text: "transfer {in.amount} from {in.from} to {in.to}"},
		{Name: history.Read, Reads: true, Text: "read", Answer: " → {out}"},
	}
}

// Bank is what a read is asked about.
type Bank struct {
	Accounts, Each int64
	Overdraw       bool // balances may be below 0
}

// Data is the bank as a read has it.
func (b Bank) Data() history.Data {
	text := `{"accounts":` + strconv.FormatInt(b.Accounts, 10) + `,"each":` + strconv.FormatInt(b.Each, 10)
	if b.Overdraw {
		text += `,"overdraw":true`
	}
	return history.Data(text + "}")
}

// ParseBank reads what a read was asked about.
func ParseBank(d history.Data) (b Bank, err error) {
	if b.Accounts, err = WholeNumber(d.At("accounts")); err == nil {
		b.Each, err = WholeNumber(d.At("each"))
	}
	if err == nil && (b.Accounts < 2 || b.Each < 0 || b.Each > mostWhole/b.Accounts) {
		err = errors.New("that is no bank")
	}
	if err != nil {
		return b, fmt.Errorf(`a read whose "i" is %s: %w`, Brief(d), err)
	}
	b.Overdraw = d.At("overdraw") == history.True
	return b, nil
}

// Move is what a transfer is asked for.
type Move struct{ From, To, Amount int64 }

// Data is the move as a transfer has it.
func (m Move) Data() history.Data {
	return history.Data(`{"from":` + strconv.FormatInt(m.From, 10) + `,"to":` + strconv.FormatInt(m.To, 10) + `,"amount":` + strconv.FormatInt(m.Amount, 10) + "}")
}

// ParseMove reads what a transfer was asked for.
func ParseMove(d history.Data) (m Move, err error) {
	for name, into := range map[string]*int64{"from": &m.From, "to": &m.To, "amount": &m.Amount} {
		if *into, err = WholeNumber(d.At(name)); err != nil {
			return m, fmt.Errorf(`a transfer whose "i" is %s: its %q is %w`, Brief(d), name, err)
		}
	}
	if m.From < 0 || m.To < 0 || m.From == m.To || m.Amount < 1 {
		return m, fmt.Errorf(`a transfer whose "i" is %s, which is no move between two accounts`, Brief(d))
	}
	return m, nil
}

// ParseBalances reads the answer to a read.
func ParseBalances(b Bank, d history.Data) (balances []int64, err error) {
	if !IsList(d) {
		return nil, fmt.Errorf(`a read that was answered and whose result "o" is no list: it is %s`, Brief(d))
	}
	for e := range d.Elements() {
		n, err := WholeNumber(e)
		if err != nil {
			return nil, fmt.Errorf(`a read that was answered and whose result "o" has %w`, err)
		}
		balances = append(balances, n)
	}
	if int64(len(balances)) != b.Accounts {
		return nil, fmt.Errorf(`a read of %d accounts whose result "o" has %d`, b.Accounts, len(balances))
	}
	return balances, nil
}
