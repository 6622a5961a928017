package dev.parley.benchmarks.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class WrkTest {

  @Test
  void countsOnlySuccessesAndChargesThemWithAllProcessorTime() {
    Wrk.Result result =
        Wrk.parse(
            "noise\nRESULT requests=1100 micros=2000000 bad=100 broken=3 p50=5 p99=7 max=9\nBAD 503 x\n",
            500_000);
    assertEquals(500.0, result.perSecond());
    assertEquals(500.0, result.cpuMicros());
    assertEquals(103, result.failed());
    assertEquals(5, result.p50Micros());
    assertEquals(7, result.p99Micros());
  }

  @Test
  void refusesARunInWhichNothingSucceeded() {
    assertThrows(
        IllegalStateException.class,
        () -> Wrk.parse("RESULT requests=9 micros=1 bad=9 broken=0 p50=0 p99=0 max=0", 1));
    assertThrows(IllegalStateException.class, () -> Wrk.parse("unable to connect", 1));
  }

  @Test
  void takesEachFiguresMedianAndTheSumOfFailures() {
    Wrk.Result median =
        Report.median(
            List.of(
                new Wrk.Result(1, 30, 5, 50, 1),
                new Wrk.Result(3, 10, 6, 40, 0),
                new Wrk.Result(2, 20, 7, 60, 2)));
    assertEquals(new Wrk.Result(2, 20, 6, 50, 3), median);
  }
}
