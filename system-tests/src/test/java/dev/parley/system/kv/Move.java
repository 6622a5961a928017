package dev.parley.system.kv;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/// How the members of a cluster change. There are always at least as many of them as a key has
/// replicas, and at most two more than in the beginning.
enum Move {
  ADD {
    @Override
    int begin(KvCluster cluster, RandomGenerator random) {
      cluster.add(cluster.recruit(0));
      return 0;
    }
  },

  REMOVE {
    @Override
    int begin(KvCluster cluster, RandomGenerator random) {
      int leaver = Nemesis.oneOf(cluster.nodes(), random);
      cluster.remove(leaver);
      return leaver;
    }
  },

  REPLACE {
    @Override
    int begin(KvCluster cluster, RandomGenerator random) {
      int leaver = Nemesis.oneOf(cluster.nodes(), random);
      cluster.replace(leaver, cluster.recruit(leaver));
      return leaver;
    }
  },

  /// One that was killed and whose disk is lost.
  REPLACE_LOST {
    @Override
    int begin(KvCluster cluster, RandomGenerator random) {
      int leaver = Nemesis.oneOf(cluster.nodes(), random);
      cluster.kill(leaver);
      cluster.loseDisk(leaver);
      cluster.replace(leaver, cluster.recruit(leaver));
      return leaver;
    }
  };

  private static final int REPLICAS = 3;

  /// Those that leave enough members, and not too many.
  static List<Move> possible(KvCluster cluster) {
    List<Move> possible = new ArrayList<>(List.of(REPLACE, REPLACE_LOST));
    if (cluster.nodes().size() > REPLICAS) {
      possible.add(REMOVE);
    }
    if (cluster.nodes().size() < cluster.mostMembers()) {
      possible.add(ADD);
    }
    return possible;
  }

  /// Has the cluster begin the change, and returns when it is decided.
  ///
  /// @return who leaves, or 0
  abstract int begin(KvCluster cluster, RandomGenerator random);
}
