-- Wrong passwords: for one account, or for another one each time.
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    local four = { math.floor(n / 262144), math.floor(n / 4096) % 64, math.floor(n / 64) % 64, n % 64 }
    for k = 1, 4 do
      local last = (k == 3 and not b) or (k == 4 and not c)
      out[#out + 1] = last and "=" or letters:sub(four[k] + 1, four[k] + 1)
    end
  end
  return table.concat(out)
end

local account = os.getenv("BENCH_ACCOUNT")
local count = 0
request = function()
  count = count + 1
  local name = account ~= "" and account or ("nobody" .. count .. "x" .. math.random(1000000) .. "@example.com")
  wrk.headers["Authorization"] = "Basic " .. base64(name .. ":wrong password " .. count)
  return wrk.format("GET", "/_/api/mine")
end
