"""Reading, rewriting and proving a 20 MB proposal, against ``lxml.etree.parse`` of the same file.

Run ``python tests/bench/bench_apt.py``: whole processes, CPU time, best of three. Two files: one
that is mostly planner output, as real proposals are (10 to 18 kB for each exposure), and one of
nothing but exposures (1.3 kB each). In both every exposure gets a POS TARG and a receipt.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

MEGABYTES = 20
RUNS = 3

PARSE = "import sys; from lxml import etree; etree.parse(sys.argv[1])"
REWRITE = """
import sys
from aptdither.apt.reader import parse_proposal
from aptdither.apt.changes import NewExposure, change_visit
from aptdither.apt.writer import rewrite_proposal
from aptdither.apt.receipt import Receipt
from aptdither.types import NO_OFFSET, PosTarg
proposal = parse_proposal(open(sys.argv[1], "rb").read())
changes = [
    change_visit(visit, {
        exposure.node: (NewExposure(
            source=exposure,
            pos_targ=PosTarg(x_arcsec=0.1 * i, y_arcsec=0.05 * i),
            receipt=Receipt(index=i + 1, total=6, pattern="tight-6", base=NO_OFFSET,
                            version="0.1.0"),
        ),)
        for i, exposure in enumerate(visit.exposures)
    })
    for visit in proposal.visits
]
assert rewrite_proposal(proposal, changes) is not proposal.document.source
"""

EXPOSURE = """
         
         <Exposure
            Number="{number}"
            TargetName="NGC-104"
            Config="WFC3/IR"
            Opmode="MULTIACCUM"
            Aperture="IR"
            SpElement="F160W"
            NumberOfIterations="1"
            TimePerExposure="DEF"
            RealtimeAnalysis="false"
            RequiresUplink="false"
            Expand="false"
            LowSky="false"
            Shadow="false"
            NewAlignment="false"
            NewObset="false"
            NewObsetFullAcq="false"
            SpecialCommand="false">
            
            <MaxDur />
            
            <MinDur />
            
            <Comments />
            
            <InstrumentParameters
               NSAMP="12"
               SAMP-SEQ="SPARS25" />
            
            <SubExposures>
               
               <SubExposure
                  OrbitNumber="1"
                  ScanDirection="" />
            </SubExposures>
         </Exposure>"""


def make_file(path: Path, planner_bytes: int) -> None:
    """Write a proposal of visits with six exposures and some planner output each."""
    windows = "1343606400000 0.0 1349049600000 1.0 " * (planner_bytes // 36)
    visit = f"""
      
      <Visit
         Number="01"
         Status="implementation">
         
         <ToolData>
            
            <StVisitSchedulingWindows
               StSchedulingPCF="{windows}" />
         </ToolData>
         
         <TicData>
            
            <TicDataCurrent>true</TicDataCurrent>
         </TicData>{"".join(EXPOSURE.format(number=i + 1) for i in range(6))}
      </Visit>"""
    count = MEGABYTES * 1_000_000 // len(visit)
    with path.open("w") as file:
        file.write("<HSTProposal>\n   \n   <Visits>")
        file.writelines(visit for _ in range(count))
        file.write("\n   </Visits>\n</HSTProposal>\n")


def measure(code: str, path: Path) -> tuple[float, float]:
    """Return the best CPU time (s) and the peak memory (MB) of a process that runs `code`."""
    seconds, peak = [], 0.0
    for _ in range(RUNS):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"the measured process failed with status {status}")
        process.returncode = 0
        seconds.append(usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss * 1024 / 1e6)
    return min(seconds), peak


def main() -> None:
    """Print a line for each file."""
    with tempfile.TemporaryDirectory() as folder:
        for name, planner_bytes in (("mostly planner output", 70_000), ("only exposures", 0)):
            path = Path(folder) / "made.apt"
            make_file(path, planner_bytes)
            size = path.stat().st_size / 1e6
            peer_seconds, peer_peak = measure(PARSE, path)
            seconds, peak = measure(REWRITE, path)
            print(
                f"{name}: {size:.1f} MB; lxml.etree.parse {peer_seconds:.2f} s, {peer_peak:.0f} MB;"
                f" read, rewrite and verify_rewrite {seconds:.2f} s, {peak:.0f} MB:"
                f" {seconds / peer_seconds:.1f} times the time, {peak / size:.1f} times the file"
            )


if __name__ == "__main__":
    main()
