-- Grain: one row per user and SKU whose plans can be weighed, with the variant that the user holds.
select h.tenant_id, h.user_id, h.sku_id, h.assigned_by, v.variant, v.cloud
from {{ ref('int_held_licenses') }} as h
join {{ ref('int_license_variants') }} as v on v.tenant_id = h.tenant_id and v.sku_id = h.sku_id and v.off_key = h.off_key
