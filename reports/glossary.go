package reports

// meaning says what a word of the field or the name of a check means, in a sentence for
// the pointer; "" of others.
func meaning(word string) string { return glossary()[word] }

func glossary() map[string]string {
	return map[string]string{
		"linearizable":        "Every operation seems to take effect at one moment between its call and its return.",
		"durability":          "What was acknowledged is still there at the end, through every node.",
		"election-safety":     "No term has two leaders.",
		"vote-safety":         "No node votes for two candidates in one term.",
		"log-agreement":       "No two nodes commit different entries at one position of the log.",
		"state-agreement":     "Nodes that have applied the same entries have the same state.",
		"term-monotonic":      "The term of a node never goes back.",
		"commit-monotonic":    "The commit index of a node never goes back.",
		"election-timers":     "No node stands for election before its timeout.",
		"leader-completeness": "A new leader has every entry that was committed before.",
		"replicas":            "The copies of all nodes are the same at the end.",
		"no-crash":            "No server ended that was not told to.",
		"recovery":            "After the last heal the cluster serves again, within bounds.",
		"activity":            "Enough happened for a pass to mean something.",
		"availability":        "While no fault is in force, each node serves.",
		"conformance":         "Every step of the trace is one that the specification of Raft allows.",

		"Outcome unknown":        "The client heard nothing or gave up: the operation may have taken effect, or may yet.",
		"Failed":                 "The operation certainly had no effect.",
		"Leaders lost":           "How often the cluster lost the leader that it had: killed, cut off from a majority, paused, or stepped down.",
		"Time without leader":    "From the loss of a leader to the election of the next.",
		"Unavailable to clients": "The longest time around the loss of a leader in which no client had a success.",
		"Median latency":         "Half of the operations that succeeded were answered within this time.",

		"Detection":      "From the loss of the leader to the first candidate.",
		"Election":       "From the first candidate to the next leader.",
		"No leader":      "From the loss of the leader to the next leader.",
		"Term":           "Raft counts its leaders in terms: each election begins a new one, and each has one leader at most.",
		"Rounds":         "How many times nodes stood for election until one won.",
		"Split votes":    "Rounds in which no candidate had the votes of a majority.",
		"Downtime, all":  "The longest time around the loss between two successes, over all clients.",
		"Downtime, each": "The same for each client alone: the median of the clients, and the worst.",
		"Availability":   "The share of operations that succeeded.",
	}
}
