"""bmswitch upgrades a BlueMind installation with zero downtime: replicate, prove, switch."""
