package main

import (
	"context"
	"strings"

	"squall/nodeimage"
)

// buildNode is the node that this squall carries, or one made out of the
// sources around the current folder.
func buildNode(ctx context.Context, arch, mutant string) (nodeimage.Binary, error) {
	return nodeimage.Build(ctx, nodeimage.BuildOptions{Arch: arch, Mutant: mutant})
}

// canBuild says why buildNode would fail before it builds anything.
func canBuild(arch, mutant string) error {
	return nodeimage.CanBuild(nodeimage.BuildOptions{Arch: arch, Mutant: mutant})
}

// nodeNeeds is what a run needs to have a node for its machines.
func nodeNeeds(ctx context.Context) []need {
	if platforms := carriedPlatforms(); platforms != "" {
		return []need{{Name: "squall-node", OK: true, Found: "carried for " + platforms}}
	}
	return []need{goToolchain(ctx), sources()}
}

// carriedPlatforms names the platforms that this squall carries a node for.
func carriedPlatforms() string { return strings.Join(nodeimage.Carried(), ", ") }
