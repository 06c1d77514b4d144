package raft

import (
	"fmt"
	"go/ast"
	"strings"
	"testing"
)

// TestChangesOfRole tries every change of role: those that Raft does not know stop
// the node, which says why and is silent from then on.
func TestChangesOfRole(t *testing.T) {
	roles := func(c *core) []role {
		return []role{&follower{c}, &candidate{c: c}, &candidate{c: c, campaigning: true}, &leader{c: c}, &stopped{}}
	}
	names := []string{"follower", "pre-candidate", "candidate", "leader", "stopped"}
	allowed := map[string]string{
		"follower": "follower pre-candidate candidate stopped", "pre-candidate": "follower pre-candidate candidate stopped",
		"candidate": "follower pre-candidate candidate leader stopped", "leader": "follower pre-candidate stopped", "stopped": "",
	}
	for i, from := range names {
		for j, to := range names {
			s := newScript(t, 3, HardState{Term: 4})
			s.c.role = roles(s.c)[i]
			s.c.become(roles(s.c)[j], "test")
			if strings.Contains(" "+allowed[from]+" ", " "+to+" ") {
				s.want(from+" to "+to, fmt.Sprintf("%T %v", s.c.role, s.c.err), fmt.Sprintf("%T <nil>", roles(s.c)[j]))
				continue
			}
			s.want(from+" to "+to, s.c.role.kind(), Stopped)
			if from != "stopped" && (s.c.err == nil || !strings.Contains(s.c.err.Error(), "cannot become a "+to+" (test)")) {
				t.Errorf("%s to %s: %v", from, to, s.c.err)
			}
			s.c.send(&Message{Type: MsgHeartbeat, To: 2})
			s.want(from+" to "+to+", sent", show(s.sent), "")
		}
	}
}

// TestOnePlaceChangesTheRole: nothing but become assigns the role of a core.
func TestOnePlaceChangesTheRole(t *testing.T) {
	var where []string
	for name, file := range sources(t) {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				assign, ok := n.(*ast.AssignStmt)
				if !ok {
					return true
				}
				for _, left := range assign.Lhs {
					if field, ok := left.(*ast.SelectorExpr); ok && field.Sel.Name == "role" {
						if of, ok := field.X.(*ast.SelectorExpr); !ok || of.Sel.Name != "reported" {
							where = append(where, name+" "+fn.Name.Name)
						}
					}
				}
				return true
			})
		}
	}
	if got := strings.Join(where, ", "); got != "core.go newCore, core.go become" {
		t.Errorf("the role is assigned in: %s", got)
	}
}
