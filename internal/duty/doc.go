// Package duty is what a sender owes a receiver, whichever AirPlay the two
// speak: the chores of a session, answers to what was lost, the volume, what is
// playing, and a goodbye. The sessions of raop and airplay are built of it, and
// of what they have not in common.
package duty
