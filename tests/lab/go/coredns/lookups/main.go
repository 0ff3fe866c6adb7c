// Asks a DNS server for a name again and again with the client of github.com/miekg/dns, and prints how long
// answers took as one line of JSON: a second opinion on what the prober measures.
//
//	lookups SERVER NAME COUNT RATE
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/miekg/dns"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("usage: lookups SERVER NAME COUNT RATE")
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	rate, err := strconv.Atoi(args[3])
	if err != nil || rate < 1 {
		return fmt.Errorf("RATE has to be a number from 1 on")
	}
	server := net.JoinHostPort(args[0], "53")
	client := dns.Client{Timeout: 4 * time.Second}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	times := []int64{}
	for range count {
		<-tick.C
		question := new(dns.Msg).SetQuestion(dns.Fqdn(args[1]), dns.TypeA)
		// A socket of its own for each, as the prober has.
		if _, took, err := client.Exchange(question, server); err == nil {
			times = append(times, took.Microseconds())
		}
	}
	slices.Sort(times)
	at := func(percent int) any {
		if len(times) == 0 {
			return nil
		}
		return times[max((len(times)*percent+99)/100, 1)-1]
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"asked": count, "lost": count - len(times), "p50": at(50), "p95": at(95), "p99": at(99), "slowest": at(100),
	})
}
