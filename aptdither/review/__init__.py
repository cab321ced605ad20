"""Proposal review: what is wrong with the dithering of a proposal, in words for a review.

:mod:`aptdither.planning.pointings` says where every exposure points;
:mod:`aptdither.review.reviewer` evaluates the sets and runs the rules over them.

syntax     what is written: tags, values, references, numbers, the orbit plan
sampling   what the phases of a set are worth over the region; cosmic rays, binned pixels
moves      the steps: artifacts, guide stars, orbits, the gap between chips
positions  how APT combines positions: SamePosAs, patterns and POS TARGs, origins, receipts
"""
