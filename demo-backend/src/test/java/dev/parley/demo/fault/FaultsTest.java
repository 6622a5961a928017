package dev.parley.demo.fault;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FaultsTest {
  private static final long SECOND = 1_000_000_000L;

  private final AtomicLong nanos = new AtomicLong(5);
  private final StandingFaults standing = new StandingFaults(nanos::get);

  @Test
  void strikesAsOftenAsAskedAndNoMore() throws Exception {
    change(Map.of("status", Map.of("code", 429, "times", 2, "retry_after_s", 3)));
    for (int i = 0; i < 2; i++) {
      Fault fault = standing.forRequest(true, null).strike(Knob.STATUS).orElseThrow();
      assertEquals(429, fault.value());
      assertEquals(3, fault.retryAfterSeconds());
    }
    assertFalse(standing.forRequest(true, null).strikes(Knob.STATUS));
  }

  @Test
  void isUsedUpWhenItStrikesNotBefore() throws Exception {
    change(Map.of("silence", 1));
    RequestFaults first = standing.forRequest(true, null);
    RequestFaults second = standing.forRequest(true, null);
    assertTrue(second.strikes(Knob.SILENCE));
    assertFalse(first.strikes(Knob.SILENCE), "another request took it");
  }

  @Test
  void changesOnlyWhatIsNamed() throws Exception {
    change(Map.of("latency_ms", 20, "missing_done", true));
    Map<String, Object> removal = new HashMap<>();
    removal.put("latency_ms", null);
    change(removal);
    assertEquals(Map.of("missing_done", true, "applies_to", "completions"), standing.show());
    standing.clear();
    assertEquals(Map.of("applies_to", "completions"), standing.show());
  }

  @Test
  void aRequestsOwnFaultsComeBeforeTheStandingOnesAndSpendNoneOfThem() throws Exception {
    change(Map.of("cut_after_tokens", Map.of("value", 3, "times", 1)));
    RequestFaults own =
        standing.forRequest(true, FaultSettings.read(Map.of("cut_after_tokens", 9)));
    assertEquals(9, own.amount(Knob.CUT_AFTER_TOKENS, 0));
    assertEquals(3, standing.forRequest(true, null).amount(Knob.CUT_AFTER_TOKENS, 0));
    assertEquals(0, standing.forRequest(true, null).amount(Knob.CUT_AFTER_TOKENS, 0));
  }

  @Test
  void isUnavailableUntilTheTimeIsUp() throws Exception {
    change(Map.of("unavailable_for_s", 10));
    nanos.addAndGet(4 * SECOND + 1);
    assertEquals(6, standing.forRequest(false, null).amount(Knob.UNAVAILABLE_FOR_S, 0));
    nanos.addAndGet(6 * SECOND);
    assertFalse(standing.forRequest(true, null).strikes(Knob.UNAVAILABLE_FOR_S));
    assertEquals(Map.of("applies_to", "completions"), standing.show());
  }

  @Test
  void sparesTheListOfModelsUnlessAppliedToAll() throws Exception {
    change(Map.of("silence", true));
    assertFalse(standing.forRequest(false, null).strikes(Knob.SILENCE));
    change(Map.of("applies_to", "all"));
    assertTrue(standing.forRequest(false, null).strikes(Knob.SILENCE));
  }

  @ParameterizedTest
  @EnumSource(Knob.class)
  void namesTheKnobWhoseValueIsBad(Knob knob) {
    for (Object bad : new Object[] {"much", -1, 1.5e12, Map.of("speed", 1), Map.of("times", -1)}) {
      FaultSettings.BadKnob refused =
          assertThrows(
              FaultSettings.BadKnob.class, () -> FaultSettings.read(Map.of(knob.json(), bad)));
      assertEquals(knob.json(), refused.knob());
      assertTrue(refused.reason().startsWith(knob.json()), refused.reason());
    }
  }

  @Test
  void namesAnUnknownKnob() {
    FaultSettings.BadKnob refused =
        assertThrows(FaultSettings.BadKnob.class, () -> FaultSettings.read(Map.of("latency", 1)));
    assertEquals("latency", refused.knob());
    assertTrue(refused.reason().contains("latency_ms"));
  }

  @Test
  void changesNothingWhenOneKnobIsBad() {
    assertThrows(FaultSettings.BadKnob.class, () -> change(Map.of("latency_ms", 5, "status", 200)));
    assertEquals(Map.of("applies_to", "completions"), standing.show());
  }

  private void change(Map<String, ?> json) throws FaultSettings.BadKnob {
    standing.change(FaultSettings.read(json));
  }
}
