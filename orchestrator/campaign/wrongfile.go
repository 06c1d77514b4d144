package campaign

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"squall/orchestrator/testplan"
)

// onlyTest is the first setting of a test in a file that has no key of a campaign
// but those that both have; nil where there is none.
func onlyTest(root *yaml.Node) (setting *yaml.Node) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		name := root.Content[i]
		_, ofTest := testplan.FindOption(name.Value)
		ofCampaign := slices.Contains(keyNames(), name.Value)
		if ofCampaign && !ofTest {
			return nil
		}
		if ofTest && !ofCampaign && setting == nil {
			setting = name
		}
	}
	return setting
}
