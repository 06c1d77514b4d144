package machinetest

import (
	"flag"
	"runtime"
	"strconv"
)

// sideBySide is how many parallel tests of a package of machines run for each
// processor.
const sideBySide = 3

// Waiting is Main for a package whose parallel tests mostly wait, for machines or
// for times: more of them run side by side than there are processors. Who says how
// many (`go test -parallel`) has it so.
func Waiting(m Runner) Runner { return sideways{Main(m)} }

type sideways struct{ Runner }

func (m sideways) Run() int {
	flag.Parse()
	const name = "test.parallel"
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == name })
	if !said {
		if err := flag.Set(name, strconv.Itoa(sideBySide*runtime.GOMAXPROCS(0))); err != nil {
			panic(err) // the flag is testing's
		}
	}
	return m.Runner.Run()
}
