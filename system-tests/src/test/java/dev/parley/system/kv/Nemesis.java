package dev.parley.system.kv;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.history.Operation.Outcome;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// What befalls a cluster under load. Each strikes, demands that whoever is connected with a
/// majority goes on acknowledging writes meanwhile, and leaves the cluster whole.
enum Nemesis {

  /// `kill -9` of one node, and its return.
  KILL {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.kill(victim);
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.restart(victim);
    }
  },

  /// `kill -9` of all nodes at once.
  BLACKOUT {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      cluster.nodes().forEach(cluster::kill);
      cluster.nodes().forEach(cluster::launch);
      cluster.nodes().forEach(cluster::awaitReady);
    }
  },

  /// SIGSTOP of one node: its connections stay, and it wakes up in another time.
  PAUSE {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.pause(victim);
      try {
        load.awaitProgress(others(cluster, victim));
        load.go(millis);
      } finally {
        cluster.resume(victim);
      }
    }
  },

  /// One node without its peers, which the clients still reach.
  ISOLATION {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.isolate(victim);
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.heal();
    }
  },

  /// The largest minority without the rest.
  HALVES {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      List<Integer> shuffled = shuffled(cluster, random);
      List<Integer> majority = shuffled.subList(0, cluster.majority());
      List<Integer> minority = shuffled.subList(cluster.majority(), shuffled.size());
      cluster.partition(majority, minority);
      load.awaitProgress(majority);
      load.go(millis);
      cluster.heal();
    }
  },

  /// One node that is heard by nobody, but hears.
  MUTE {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      for (int other : others(cluster, victim)) {
        cluster.cut(victim, other);
      }
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.heal();
    }
  },

  /// One node that hears nobody, but is heard.
  DEAF {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      for (int other : others(cluster, victim)) {
        cluster.cut(other, victim);
      }
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.heal();
    }
  },

  /// Two halves that see one node in common, and not each other. All have a majority.
  BRIDGE {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      List<Integer> shuffled = shuffled(cluster, random);
      int half = shuffled.size() / 2;
      cluster.partition(shuffled.subList(0, half), shuffled.subList(half + 1, shuffled.size()));
      load.awaitProgress(cluster.nodes());
      load.go(millis);
      cluster.heal();
    }
  },

  /// Partitions that come and go faster than failure detectors notice.
  FLAPPING {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      long end = System.nanoTime() + millis * 1_000_000;
      do {
        cluster.isolate(any(cluster, random));
        load.go(100 + random.nextInt(500));
        cluster.heal();
        load.go(random.nextInt(300));
      } while (System.nanoTime() - end < 0);
    }
  },

  /// One node without room on its disk.
  FULL_DISK {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = 1 + random.nextInt(KvCluster.SMALL_DISKS);
      cluster.fillDisk(victim);
      try {
        load.awaitProgress(cluster.nodes());
        load.go(millis);
        assertTrue(cluster.isRunning(victim), "a full disk must not end the node");
      } finally {
        cluster.freeDisk(victim);
      }
    }
  },

  /// A majority without room: new values are refused with the reason, all else works on.
  ALL_DISKS_FULL {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      if (cluster.nodes().size() - KvCluster.SMALL_DISKS >= cluster.majority()) {
        FULL_DISK.strike(cluster, load, random, millis);
        return;
      }
      String key = "full/" + random.nextLong(Long.MAX_VALUE);
      assertInstanceOf(Outcome.Applied.class, load.putAt(3, key, "before"));
      for (int node = 1; node <= KvCluster.SMALL_DISKS; node++) {
        cluster.fillDisk(node);
      }
      try {
        int[] tries = {0};
        KvCluster.await(
            "new values are refused",
            () -> load.putAt(3, key, "during " + tries[0]++) instanceof Outcome.NotApplied);
        load.go(millis);
        assertInstanceOf(Outcome.NotApplied.class, load.putAt(1, key, "full"));
        assertInstanceOf(Outcome.Found.class, load.readAt(2, key));
        KvCluster.await(
            "a delete, for which there is always room",
            () -> load.deleteAt(3, key) instanceof Outcome.Applied);
        for (int node : cluster.nodes()) {
          assertTrue(cluster.isRunning(node), "a full disk must not end a node");
        }
      } finally {
        for (int node = 1; node <= KvCluster.SMALL_DISKS; node++) {
          cluster.freeDisk(node);
        }
      }
    }
  },

  /// A bit flips in the log of a stopped node: it refuses to start, the others go on.
  BIT_FLIP {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.stop(victim);
      refuseAndMend(cluster, load, victim, cluster.flipBit(victim, random), "is damaged");
    }
  },

  /// The log of a stopped node loses its end: it refuses to start, the others go on.
  TRUNCATION {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.stop(victim);
      refuseAndMend(cluster, load, victim, cluster.truncate(victim, random), "was cut off");
    }
  },

  /// Every node in turn stops in good order and comes back.
  ROLLING_RESTART {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      for (int node : shuffled(cluster, random)) {
        cluster.stop(node);
        load.awaitProgress(others(cluster, node));
        cluster.restart(node);
      }
    }
  };

  /// Does its worst for about so many milliseconds.
  abstract void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis);

  /// Why this cannot befall this cluster, or null if it can.
  @Nullable String whyImpossible(KvCluster cluster) {
    return switch (this) {
      case ISOLATION, HALVES, MUTE, DEAF, BRIDGE, FLAPPING -> cluster.whyUncuttable();
      case FULL_DISK, ALL_DISKS_FULL -> cluster.whyUnfillable();
      case KILL, BLACKOUT, PAUSE, BIT_FLIP, TRUNCATION, ROLLING_RESTART -> null;
    };
  }

  private static void refuseAndMend(
      KvCluster cluster, Workload load, int victim, KvCluster.Damage damage, String words) {
    try {
      String said = cluster.launchInVain(victim);
      String line =
          said.lines().filter(each -> each.startsWith("kv-node: ")).findFirst().orElse("");
      assertTrue(
          line.startsWith("kv-node: cannot use the data directory ")
              && line.contains("segment ")
              && line.contains(words),
          () -> damage.what() + ", but the node said:\n" + said);
      load.awaitProgress(others(cluster, victim));
    } finally {
      damage.mend();
    }
    cluster.restart(victim);
  }

  private static int any(KvCluster cluster, RandomGenerator random) {
    return 1 + random.nextInt(cluster.nodes().size());
  }

  private static List<Integer> others(KvCluster cluster, int node) {
    return cluster.nodes().stream().filter(other -> other != node).toList();
  }

  private static List<Integer> shuffled(KvCluster cluster, RandomGenerator random) {
    List<Integer> nodes = new ArrayList<>(cluster.nodes());
    Collections.shuffle(nodes, Random.from(random));
    return nodes;
  }
}
