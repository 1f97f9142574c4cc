// Checks a history with Porcupine, for etcd-lockstep's bench: the same calls, one core, the check alone timed.
//
// A line of the input is one call, separated by tabs: client, invoked, returned (-1: nobody knows), operation, key, and
//
//	put  value
//	get  what it returned, "-" for nothing, "?" where nobody knows
//	cas  the value that it compares with, the new one, "true" or "false" or "?"
//	del  "true" where there was a key, "false" or "?"
//
// The output is one line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

type call struct {
	op, key, first, second string
}

var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(call).key
			byKey[key] = append(byKey[key], operation)
		}
		parts := make([][]porcupine.Operation, 0, len(byKey))
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "-" },
	Step: func(state, input, output any) (bool, any) {
		held, asked, answer := state.(string), input.(call), output.(string)
		switch asked.op {
		case "put":
			return true, asked.first
		case "get":
			return answer == "?" || answer == held, held
		case "cas":
			equal := held == asked.first
			after := held
			if equal {
				after = asked.second
			}
			return answer == "?" || (answer == "true") == equal, after
		default: // del
			return answer == "?" || (answer == "true") == (held != "-"), "-"
		}
	},
}

func main() {
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	fail(err)
	file, err := os.Open(os.Args[1])
	fail(err)
	var history []porcupine.Operation
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		history = append(history, operation(strings.Split(scanner.Text(), "\t")))
	}
	fail(scanner.Err())
	begun := time.Now()
	verdict := porcupine.CheckOperationsTimeout(model, history, time.Duration(seconds*float64(time.Second)))
	fail(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"calls":   len(history),
		"seconds": time.Since(begun).Seconds(),
		"verdict": string(verdict),
	}))
}

func operation(fields []string) porcupine.Operation {
	client, err := strconv.Atoi(fields[0])
	fail(err)
	invoked, err := strconv.ParseInt(fields[1], 10, 64)
	fail(err)
	returned, err := strconv.ParseInt(fields[2], 10, 64)
	fail(err)
	if returned < 0 {
		returned = math.MaxInt64
	}
	asked := call{op: fields[3], key: fields[4]}
	answer := ""
	switch asked.op {
	case "put":
		asked.first = fields[5]
	case "cas":
		asked.first, asked.second, answer = fields[5], fields[6], fields[7]
	default:
		answer = fields[5]
	}
	return porcupine.Operation{ClientId: client, Input: asked, Call: invoked, Output: answer, Return: returned}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
