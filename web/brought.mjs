// What later scripts bring of that which formulas ask for: functions by their names in Python.

export const brought = {};
